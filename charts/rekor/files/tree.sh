#!/bin/sh
# Makes the log's tree in Trillian if there is none of that name that was ever begun. The lock of the session keeps a
# second run from making a second one; createtree waits for the log server by itself.
set -eu
psql --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 --set name="$TREE_NAME" << 'SQL'
SELECT pg_advisory_lock(hashtext('rekor-setup'));
CREATE TEMPORARY VIEW begun AS
  SELECT treeid, displayname FROM trees
  WHERE treestate = 'ACTIVE' AND deleted IS NOT TRUE AND EXISTS (SELECT FROM treehead WHERE treehead.treeid = trees.treeid);
SELECT NOT EXISTS (SELECT FROM begun WHERE displayname = :'name') AS missing \gset
\if :missing
\! createtree --admin_server="$ADMIN_SERVER" --display_name="$TREE_NAME" --max_root_duration="$MAX_ROOT_DURATION" --rpc_deadline=120s
\endif
SELECT 'tree ' || treeid FROM begun WHERE displayname = :'name';
SELECT count(*) = 1 AS single FROM begun WHERE displayname = :'name' \gset
\if :single
\else
DO $$ BEGIN RAISE EXCEPTION 'there must be exactly one tree of that name'; END $$;
\endif
SQL
