#!/usr/bin/env bash
# OpenSSL 3.0.19 (Debian 12), the one that is installed: `openssl ts -verify`
#
# A timestamp (RFC 3161) says that data existed while the authority's certificate was valid, and is
# worth keeping because it goes on saying so. `openssl ts -verify` though checks the certificate
# against the time of the check, not against the time in the token: the same command that said
# "Verification: OK" fails from the day on which the certificate of the authority expires, about a
# token that is as good as before.
#
# Expected: the certificate is checked as of the token's own time.
# What to do: read that time (`openssl ts -reply -in TOKEN -text`) and pass it as -attime. That
# certificate may have been revoked meanwhile: keep what shows that it was not, or stamp anew before
# it expires.
#
# Seen (a certificate that is valid for some seconds):
#   while it is valid:                    Verification: OK
#   afterwards:                           Verification: FAILED, certificate has expired
#   afterwards, -attime (token's time):   Verification: OK
#
# https://docs.openssl.org/3.0/man1/openssl-ts/
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat >ts.cnf <<'CONFIGURATION'
[ca]
default_ca = authority
[authority]
new_certs_dir = .
database = index
serial = serial
default_md = sha256
policy = policy
x509_extensions = stamping
[policy]
commonName = supplied
[stamping]
extendedKeyUsage = critical, timeStamping
[tsa]
serial = tokens
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256
CONFIGURATION
touch index
echo 01 | tee serial >tokens
{
  openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=root -days 30
  openssl req -newkey rsa:2048 -nodes -keyout tsa.key -out tsa.csr -subj /CN=stamps
  end=$(($(date +%s) + 5))
  openssl ca -batch -config ts.cnf -in tsa.csr -out tsa.pem -cert ca.pem -keyfile ca.key -notext \
    -startdate 20250101000000Z -enddate "$(date -u -d "@$end" +%Y%m%d%H%M%SZ)"
  echo "what existed" >data
  openssl ts -query -data data -sha256 -cert -out query
  openssl ts -reply -config ts.cnf -section tsa -queryfile query -signer tsa.pem -inkey tsa.key -out token
} >log 2>&1 || { cat log; exit 1; }
stamped=$(date -d "$(openssl ts -reply -in token -text 2>>log | sed -n 's/^Time stamp: //p')" +%s)

verified() {
  openssl ts -verify -data data -in token -CAfile ca.pem "$@" 2>errors | tr '\n' ' ' || true
  sed -n 's/.*Verify error:/, /p' errors
}
openssl version
before=$(verified)
while (($(date +%s) <= end)); do sleep 0.2; done
after=$(verified)
as_of=$(verified -attime "$stamped")
echo "while it is valid:                    $before"
echo "afterwards:                           $after"
echo "afterwards, -attime (token's time):   $as_of"
[[ $before == *OK* && $after == *FAILED*expired* && $as_of == *OK* ]]
