#!/bin/sh
# Waits for the log's tree, and writes its id where Rekor reads its settings. A restored database brings its own.
set -eu
while true; do
  id=$(psql --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 --set name="$TREE_NAME" << 'SQL' || true
SELECT treeid FROM trees
WHERE displayname = :'name' AND treestate = 'ACTIVE' AND deleted IS NOT TRUE
  AND EXISTS (SELECT FROM treehead WHERE treehead.treeid = trees.treeid);
SQL
)
  case $id in
    '' | *[!0-9]*) echo "waiting for exactly one tree called $TREE_NAME" ;;
    *) break ;;
  esac
  sleep 2
done
printf 'trillian_log_server:\n  tlog_id: %s\n' "$id" > /run/rekor/rekor-server.yaml
echo "tree $id"
