#!/usr/bin/env bash
# PHP 8.2 (Debian 12: php8.2-cli 8.2.36), http_build_query: how PHP applications write webhook bodies
#
# What an array holds is not what the form holds. A DateTime and an object with __toString vanish
# without a warning, as null and [] do; an enum becomes an array of its two properties; of other
# objects the public properties remain; floats are cut to 14 digits by the setting "precision", so a
# whole number above PHP_INT_MAX arrives in exponent form. The receiver cannot tell "no value" from
# "not sent", and whether a key is text or a map depends on the sender's types.
#
# Expected: the text of a Stringable, the value of a backed enum, an error for what has neither.
# What to do: as a receiver, let each key be absent and each scalar be a map; as a sender, make text
# and numbers of everything first.
#
# Seen:
#   PHP 8.2.36, warnings: 0
#   date and name (__toString), null, []: no such key
#   enum: state[name]=Paid&state[value]=paid
#   numbers: sum=0.3&id=9.2233720368548E+18&yes=1&no=0
#
# https://www.php.net/manual/en/function.http-build-query.php
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
packages=(php8.2-cli php8.2-common libargon2-1 libsodium23)
apt-get -qq download "${packages[@]}" 2>log || { apt-get -qq update; apt-get -qq download "${packages[@]}" 2>log; }
for package in *.deb; do dpkg -x "$package" root; done
export LD_LIBRARY_PATH=root/usr/lib/$(uname -m)-linux-gnu

cat >body.php <<'PHP'
<?php
$warnings = 0;
error_reporting(E_ALL);
set_error_handler(function () use (&$warnings) { return ++$warnings > 0; });

enum State: string { case Paid = 'paid'; }
final class Name { function __toString(): string { return 'a name'; } }

$of = fn (array $data) => urldecode(http_build_query($data));
$gone = $of(['date' => new DateTime(), 'name' => new Name(), 'null' => null, 'list' => []]);
$enum = $of(['state' => State::Paid]);
$numbers = $of(['sum' => 0.1 + 0.2, 'id' => PHP_INT_MAX + 1, 'yes' => true, 'no' => false]);
echo 'PHP ', PHP_VERSION, ", warnings: $warnings\n";
echo 'date and name (__toString), null, []: ', $gone === '' ? 'no such key' : $gone, "\n";
echo "enum: $enum\nnumbers: $numbers\n";
exit((int) ([$warnings, $gone, $enum, $numbers] !== [
    0, '', 'state[name]=Paid&state[value]=paid', 'sum=0.3&id=9.2233720368548E+18&yes=1&no=0',
]));
PHP
timeout 20 root/usr/bin/php8.2 -n body.php
