#!/bin/sh
# Makes what must be made once and never again: the log's signing key and the passwords of its databases. What is there is
# left as it is. Publishes the public key as a ConfigMap; one that holds another key is a fault that a person has to look at.
set -eu
umask 077
account=/var/run/secrets/kubernetes.io/serviceaccount
api="${KUBERNETES_API:-https://kubernetes.default.svc}/api/v1/namespaces/$NAMESPACE"
printf 'Authorization: Bearer %s' "$(cat $account/token)" > /tmp/authorization

# call METHOD PATH [FILE]: the status of the answer, which lies in /tmp/answer
call() {
  curl --silent --show-error --max-time 30 --retry 5 --retry-connrefused --cacert $account/ca.crt \
    --header @/tmp/authorization --header 'Content-Type: application/json' \
    --request "$1" ${3:+--data-binary @"$3"} --output /tmp/answer --write-out '%{http_code}' "$api/$2"
}

fail() {
  echo "$1" >&2
  exit 1
}

# value NAME: of a member of the answer's data
value() {
  sed -n 's/.*"'"$1"'": *"\([A-Za-z0-9+\/=]*\)".*/\1/p' /tmp/answer | head -n 1 | openssl base64 -d -A
}

encoded() {
  openssl base64 -A -in "$1"
}

metadata() {
  printf '"metadata":{"name":"%s","labels":{"app.kubernetes.io/name":"rekor","app.kubernetes.io/instance":"%s"}}' "$1" "$INSTANCE"
}

# create KIND PATH NAME: what /tmp/object holds; somebody else may have been first
create() {
  status=$(call POST "$1" /tmp/object)
  case $status in
    201) echo "made $1/$2" ;;
    409) echo "$1/$2 was made meanwhile" ;;
    *) fail "$1/$2 cannot be made: HTTP $status" ;;
  esac
}

for name in $PASSWORD_SECRETS; do
  status=$(call GET "secrets/$name")
  if [ "$status" = 404 ]; then
    openssl rand -hex 24 | tr -d '\n' > /tmp/password
    printf '{"apiVersion":"v1","kind":"Secret",%s,"immutable":true,"data":{"password":"%s"}}' \
      "$(metadata "$name")" "$(encoded /tmp/password)" > /tmp/object
    create secrets "$name"
  elif [ "$status" != 200 ]; then
    fail "secrets/$name cannot be read: HTTP $status"
  fi
done

[ -n "${KEY_SECRET:-}" ] || exit 0

status=$(call GET "secrets/$KEY_SECRET")
if [ "$status" = 404 ] && [ "$KEY_GENERATE" = true ]; then
  case $KEY_ALGORITHM in
    ed25519) openssl genpkey -algorithm ed25519 -out /tmp/key.pem ;;
    ecdsa) openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out /tmp/key.pem ;;
    *) fail "there is no key algorithm $KEY_ALGORITHM" ;;
  esac
  openssl pkey -in /tmp/key.pem -pubout -out /tmp/public.pem
  printf '{"apiVersion":"v1","kind":"Secret",%s,"immutable":true,"data":{"signing-key.pem":"%s","public-key.pem":"%s"}}' \
    "$(metadata "$KEY_SECRET")" "$(encoded /tmp/key.pem)" "$(encoded /tmp/public.pem)" > /tmp/object
  create secrets "$KEY_SECRET"
  status=$(call GET "secrets/$KEY_SECRET")
fi
[ "$status" = 200 ] || fail "secrets/$KEY_SECRET cannot be read: HTTP $status"

value signing-key.pem > /tmp/key.pem
openssl pkey -in /tmp/key.pem -pubout -out /tmp/public.pem || fail "secrets/$KEY_SECRET holds no usable signing-key.pem"
sed 's/$/\\n/' /tmp/public.pem | tr -d '\n' > /tmp/public.json
printf '{"apiVersion":"v1","kind":"ConfigMap",%s,"data":{"public-key.pem":"%s"}}' \
  "$(metadata "$PUBLIC_KEY_CONFIG_MAP")" "$(cat /tmp/public.json)" > /tmp/object
create configmaps "$PUBLIC_KEY_CONFIG_MAP"
status=$(call GET "configmaps/$PUBLIC_KEY_CONFIG_MAP")
[ "$status" = 200 ] || fail "configmaps/$PUBLIC_KEY_CONFIG_MAP cannot be read: HTTP $status"
sed -n 's/.*"public-key.pem": *"\([^"]*\)".*/\1/p' /tmp/answer | head -n 1 | sed 's/\\n/\n/g' | sed '/^$/d' > /tmp/published.pem
cmp -s /tmp/public.pem /tmp/published.pem ||
  fail "configmaps/$PUBLIC_KEY_CONFIG_MAP holds another key than secrets/$KEY_SECRET: which one did the log sign with?"
