#!/usr/bin/env bash
# Installs the gateway on one machine for good, under systemd: docs/install/bare-machine.md.
# May be repeated: what is as it should be is left alone, and keys, passwords and settings that are there stay.
set -euo pipefail
shopt -s lastpipe # or what `file` counts in a pipe would be forgotten
umask 022
export LC_ALL=C

usage() {
  cat <<'HELP'
install.sh [install] [WHEEL]   install WHEEL, or the one in dist/, or upgrade to it
install.sh rollback            go back to the release before
install.sh uninstall           remove the program and its units; settings, secrets and data stay

  --dry-run          say what would be done, and do nothing
  --python PATH      the Python to run it with, 3.11 or later (python3)
  --redis HOST:PORT  a Redis elsewhere, instead of one of its own on this machine
  --requirements F   what is installed besides the wheel, with hashes (requirements/image.txt)
  --root DIR         put users and files under DIR, to look at; without the program, which cannot be moved
  --wheels DIR       take every package from DIR, and nothing from the network
HELP
}

fail() { printf 'install.sh: %s\n' "$*" >&2; exit 2; }
say() { printf '%s\n' "$*"; }

# change WHAT COMMAND…: say what is done, and do it; with --dry-run, only say it.
change() {
  local what=$1; shift
  changes=$((changes + 1))
  if [ "$is_dry" ]; then say "would $what"; else say "$what"; "$@"; fi
}

# --- Directories and files, each with its mode and its owner -------------------------------------

known() { if [ "$root" ]; then cat "$root/etc/$1" 2>/dev/null || true; else getent "$1" || true; fi; }

# ids USER:GROUP: as the numbers that they have in this installation.
ids() {
  local user=0 group=0
  [ "${1%:*}" = root ] || user=$(known passwd | awk -F: -v name="${1%:*}" '$1 == name {print $3; exit}')
  [ "${1#*:}" = root ] || group=$(known group | awk -F: -v name="${1#*:}" '$1 == name {print $3; exit}')
  printf '%s:%s' "$user" "$group"
}

# directory PATH MODE USER:GROUP
directory() {
  local owner
  owner=$(ids "$3")
  if [ ! -d "$root$1" ] || [ "$(stat -c '%a %u:%g' "$root$1")" != "$2 $owner" ]; then
    change "make $1" make_directory "$root$1" "$2" "$owner"
  fi
}
make_directory() { mkdir -p "$1"; chown "$3" "$1"; chmod "$2" "$1"; }

# file PATH MODE USER:GROUP: with what comes in, as it is; it is whole at every moment.
file() {
  local owner text
  owner=$(ids "$3")
  text=$(cat; printf x)
  if [ ! -f "$root$1" ] || [ "$(stat -c '%a %u:%g' "$root$1")" != "$2 $owner" ] || [ "$(cat "$root$1"; printf x)" != "$text" ]; then
    change "write $1" make_file "$root$1" "$2" "$owner" "${text%x}"
  fi
}
make_file() {
  local draft
  mkdir -p "${1%/*}"
  draft=$(mktemp "${1%/*}/.${1##*/}.XXXXXX")
  printf '%s' "$4" >"$draft"
  chown "$3" "$draft"
  chmod "$2" "$draft"
  sync "$draft"
  mv -f "$draft" "$1"
}

# --- What has to be there -----------------------------------------------------------------------

check_machine() {
  local systemd
  [ "$(id -u)" = 0 ] || fail "only root may do this: sudo $0"
  { command -v systemctl && command -v systemd-sysusers; } >/dev/null || fail "there is no systemd here, by which the processes are to run"
  systemd=$(systemctl --version | awk 'NR == 1 {print $2 + 0}')
  [ "$systemd" -ge 250 ] || fail "systemd is $systemd here, and has to be 250 or later"
  [ "$root" ] || mkdir -p /opt
  exec 9<"${root:-/opt}"
  flock --nonblock 9 || fail "another install.sh is at work"
}

check_python() {
  command -v "$python" >/dev/null || fail "there is no $python: apt install python3 python3-venv"
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
    || fail "$("$python" --version) is too old, 3.11 is needed: name a later one with --python"
  "$python" -c 'import ensurepip, venv' 2>/dev/null || fail "$python lacks its module venv: apt install python3-venv"
}

find_redis() {
  local url=$root$credentials/receiver/redis-url
  if [ -z "$redis" ] && [ -e "$url" ] && ! grep -q "@$own_redis/" "$url"; then redis=elsewhere; fi
  [ -z "$redis$root" ] || return 0
  redis_server=$(command -v redis-server || command -v valkey-server) \
    || fail "there is no redis-server: apt install redis-server, or name one elsewhere with --redis HOST:PORT"
}

find_wheel() {
  local found
  if [ -z "$wheel" ]; then
    shopt -s nullglob
    found=("$source"/../dist/bitrix24_event_gateway-*.whl)
    shopt -u nullglob
    [ ${#found[@]} -gt 0 ] || fail "there is no wheel in dist: name one, or make one with \`make wheel\`"
    [ ${#found[@]} -eq 1 ] || fail "there are ${#found[@]} wheels in dist: name the one to install"
    wheel=${found[0]}
  fi
  [ -f "$wheel" ] || fail "there is no $wheel"
  case ${wheel##*/} in bitrix24_event_gateway-*.whl) ;; *) fail "${wheel##*/} is no wheel of the gateway" ;; esac
}

# --- The program: each release in a directory of its own, and a link to the one that runs --------

install_release() {
  local release version
  if [ -e "$program" ] && [ ! -L "$program" ]; then
    fail "$program was not made by this script: stop what runs from it, then mv $program $program.old"
  fi
  version=${wheel##*/bitrix24_event_gateway-}
  release=$releases/${version%%-*}-$( (cat "$wheel"; "$python" --version; cat "$requirements"; packed) | sha256sum | cut -c1-12)
  is_whole "$release" || change "install ${release##*/} in $releases" make_release "$release"
  [ "$(readlink "$program")" = "$release" ] || change "make $program lead to ${release##*/}" switch_to "$release"
  remove_older
}

# What a release has beside the program, as the source has it; the same files are the same bytes.
packed() {
  tar -C "$source/.." --sort=name --mtime=@0 --owner=0 --group=0 --mode=u=rwX,go=rX -c requirements \
    deploy/{Caddyfile,gateway-ctl,gateway.example.toml,grafana,install.sh,nginx.conf,prometheus,redis,redis.conf,sysusers.conf,systemd}
}

# One whose Python was replaced does not start any more.
is_whole() { [ -e "$1/whole" ] && "$1/bin/python" -c 'import gateway' 2>/dev/null; }

make_release() {
  local options=(--disable-pip-version-check --quiet --no-cache-dir)
  rm -rf "$1"
  mkdir -p "$1/dist"
  packed | tar -C "$1" -x
  cp "$wheel" "$1/dist"
  "$python" -m venv "$1"
  if ! "$1/bin/python" -m pip install "${options[@]}" ${wheels:+--no-index --find-links "$wheels"} --require-hashes -r "$requirements" \
    || ! "$1/bin/python" -m pip install "${options[@]}" --no-index --no-deps "$1/dist/${wheel##*/}"; then
    fail "pip could not install it, for the reason above"
  fi
  touch "$1/whole"
}

switch_to() {
  [ ! -L "$program" ] || ln -sfn "$(readlink "$program")" "$releases/previous"
  ln -sfn "$1" "$releases/next"
  mv -fT "$releases/next" "$program"
}

# The one that runs and the one before are kept.
remove_older() {
  local one
  for one in "$releases"/*-*; do
    case $one in "$(readlink "$program")" | "$(readlink "$releases/previous")" | "$releases/*-*") continue ;; esac
    [ ! -L "$program" ] || change "remove ${one##*/}" rm -rf "$one"
  done
}

# --- Users, settings and directories -------------------------------------------------------------

make_users() {
  local kind name missing=
  [ -d "$root/etc" ] || directory /etc 755 root:root
  while read -r kind name _; do
    [ "$kind" != u ] || known passwd | grep -q "^$name:" || missing="$missing $name"
  done <"$source/sysusers.conf"
  [ -z "$missing" ] || change "make the users$missing" systemd-sysusers ${root:+--root="$root"} "$source/sysusers.conf"
}

place_settings() {
  local user group home name
  directory "$settings" 755 root:root
  [ -e "$root$settings/gateway.toml" ] || settings_of_example | file "$settings/gateway.toml" 640 root:gateway
  directory "$data" 755 root:root
  while IFS=: read -r user group home; do directory "$home" 700 "$user:$group"; done < <(
    awk '$1 == "u" {split($3, id, ":"); print $2 ":" (id[2] ? id[2] : $2) ":" $NF}' "$source/sysusers.conf"
  )
  directory "$credentials" 700 root:root
  for name in audit enricher feed notifier receiver reconcile relay warehouse; do
    directory "$credentials/$name" 700 root:root
  done
}

# The example with secrets as systemd gives them. What names secrets that are not there yet becomes a comment.
settings_of_example() {
  awk 'BEGIN {RS = ""; ORS = "\n\n"}
    {
      is_unready = /(^|\n)[^#\n]*"env:/
      while (match($0, /"env:[A-Z0-9_]+"/)) {
        name = tolower(substr($0, RSTART + 5, RLENGTH - 6))
        gsub("_", "-", name)
        $0 = substr($0, 1, RSTART - 1) "\"credential:gateway_" name "\"" substr($0, RSTART + RLENGTH)
      }
      if (is_unready) {gsub(/\n/, "\n# "); $0 = "# " $0}
      sub(/# signing_key/, "signing_key")
      sub(/#\n# \[vault\]\n# keys/, "\n[vault]\nkeys")
      print
    }' "$source/gateway.example.toml" | sed '$d'
}

# --- Keys and passwords: made once, and each readable by root alone, who gives it to the process ----

fresh_password() { head -c 24 /dev/urandom | od -An -vtx1 | tr -d ' \n'; }

make_keys() {
  local key name
  key=$(cat "$root$credentials/receiver/vault-key" 2>/dev/null || head -c 32 /dev/urandom | base64 -w0 | tr '+/' '-_')
  for name in receiver reconcile enricher; do
    [ -e "$root$credentials/$name/vault-key" ] || say "$key" | file "$credentials/$name/vault-key" 600 root:root
  done
  if [ -z "$root" ] && [ ! -e "$credentials/audit/audit-key" ]; then change "make $credentials/audit/audit-key" make_audit_key; fi
}

make_audit_key() {
  "$program/bin/consumers" audit keygen "$credentials/audit/audit-key" >/dev/null
  chmod 600 "$credentials/audit/audit-key"
  mv "$credentials/audit/audit-key.pub" "$settings/audit-key.pub"
  chmod 644 "$settings/audit-key.pub"
}

# An account in Redis for each process and for operators: what it may do is the release's, its password its own. Other lines of
# the file are somebody else's, and stay.
make_accounts() {
  local acl=$root$settings/redis/users.acl name account rights secret password before lines=
  if grep -q '^user receiver ' "$acl" 2>/dev/null && ! grep -q '^user receiver .* ~b24:events:\* ' "$acl"; then
    say "leave $settings/redis/users.acl alone, which is of another [redis] prefix"
    return
  fi
  while read -r _ account _ _ rights; do
    if [ "$account" = default ]; then lines="user default off"; continue; fi
    case $account in service) continue ;; reconciler) name=reconcile ;; *) name=$account ;; esac
    secret=$root$credentials/$name/redis-url
    if [ ! -e "$secret" ]; then
      [ -d "$root$credentials/$name" ] || directory "$credentials/$name" 700 root:root
      password=$(fresh_password)
      say "redis://$account:$password@${redis:-$own_redis}/0" | file "$credentials/$name/redis-url" 600 root:root
    else
      password=$(sed -n "s#^[^:]*://$account:\([^@]*\)@.*#\1#p" "$secret")
      [ "$password" ] || fail "$credentials/$name/redis-url has no password of the account $account"
    fi
    lines="$lines
user $account on #$(printf %s "$password" | sha256sum | cut -d' ' -f1) $rights"
  done <"$source/redis/users.acl"
  before=$changes
  { say "$lines"; others_of "$acl"; } | file "$settings/redis/users.acl" 640 "root:$(redis_group)"
  [ "$changes" -eq "$before" ] || has_new_accounts=yes
}

others_of() {
  [ ! -e "$1" ] || awk 'NR == FNR {ours[$2]; next} !($2 in ours) || $2 == "service"' "$source/redis/users.acl" "$1"
}

redis_group() { if [ -z "$redis" ]; then printf gateway-redis; else printf root; fi; }

# --- Redis, units, and the command for operators --------------------------------------------------

place_redis() {
  [ -z "$redis" ] || return 0
  [ -e "$root$settings/redis/redis.conf" ] || file "$settings/redis/redis.conf" 640 root:gateway-redis <<CONF
# This file is yours: what stands here behind the first line goes before what stands there.
include $program/deploy/redis.conf
bind ${own_redis%:*}
port ${own_redis#*:}
dir $data/redis
aclfile $settings/redis/users.acl
CONF
}

place_units() {
  local former=$releases/previous/deploy/systemd path name
  for path in $(cd "$source/systemd" && find . -type f | sort); do
    name=${path#./}
    case $name in gateway-redis.service) [ -z "$redis" ] || continue ;; esac
    sed "s#/usr/bin/redis-server #${redis_server:-/usr/bin/redis-server} #" "$source/systemd/$name" | file "$units/$name" 644 root:root
    [ ! -f "$root/etc/systemd/system/$name" ] || say "look: /etc/systemd/system/$name hides the one of this release"
  done
  if [ -d "$former" ]; then
    for path in $(cd "$former" && find . -type f); do
      [ -e "$source/systemd/$path" ] || [ ! -e "$units/$path" ] || change "remove $units/${path#./}" rm "$units/$path"
    done
  fi
  file "$ctl" 755 root:root <"$source/gateway-ctl"
}

# What runs already is told. Redis 7 cuts all connections when it reads its accounts, so only where there is something new.
tell_the_running() {
  local cli=${redis_server%-server}-cli
  [ -z "$root" ] && [ -z "$is_dry" ] && [ "$changes" -gt 0 ] || return 0
  [ ! -d /run/systemd/system ] || systemctl daemon-reload
  if [ -z "$redis" ] && [ "$has_new_accounts" ]; then
    REDISCLI_AUTH=$(sed 's#.*://admin:\(.*\)@.*#\1#' "$credentials/admin/redis-url")
    export REDISCLI_AUTH
    if "$cli" -p "${own_redis#*:}" --user admin ping >/dev/null 2>&1; then
      say "tell Redis to read its accounts again"
      "$cli" -p "${own_redis#*:}" --user admin acl load >/dev/null
    fi
  fi
}

# --- The three commands ---------------------------------------------------------------------------

install_all() {
  check_machine
  find_redis
  if [ -z "$root" ]; then
    check_python
    find_wheel
    install_release
    [ "$is_dry" ] || source=$program/deploy
  fi
  make_users
  place_settings
  make_keys
  make_accounts
  place_redis
  place_units
  tell_the_running
  conclude
}

roll_back() {
  check_machine
  find_redis
  [ -e "$releases/previous/whole" ] || fail "there is no release before this one in $releases"
  change "make $program lead to $(basename "$(readlink "$releases/previous")")" switch_to "$(readlink "$releases/previous")"
  [ "$is_dry" ] || source=$program/deploy
  place_units
  tell_the_running
  conclude
}

uninstall() {
  local former=$program/deploy/systemd path
  check_machine
  if [ -d /run/systemd/system ]; then
    change "stop its processes" systemctl disable --now --quiet gateway.socket gateway gateway-reconcile gateway-redis 'consumers@*'
  fi
  for path in "$ctl" $(cd "$former" 2>/dev/null && find . -type f -printf "$units/%P\n" | sort) "$program" "$releases"; do
    [ ! -e "$root$path" ] || change "remove $path" rm -rf "$root$path"
  done
  [ ! -d "$root$units" ] || find "$root$units" -type d -name 'consumers@*.service.d' -empty -delete
  say "What is kept: settings and secrets in $settings, data in $data, and the users of both."
}

conclude() {
  local own="gateway-redis "
  [ -z "$redis" ] || own=
  if [ "$changes" -eq 0 ]; then say "Nothing to do: it is as it should be."; return; fi
  [ -z "$is_dry" ] || return 0
  cat <<NEXT

Settings: $settings/gateway.toml. Secrets: $credentials, and of these keep a copy of receiver/vault-key and audit/audit-key elsewhere.
Look whether all is well, then start it, or start it again after an upgrade, one after the other:

  gateway-ctl config --check
  systemctl enable ${own}gateway.socket gateway gateway-reconcile consumers@{audit,enricher,notifier,warehouse}
  systemctl start ${own}gateway.socket
  systemctl restart consumers@{audit,enricher,notifier,warehouse} gateway-reconcile gateway
  gateway-ctl status

In front of it: $program/deploy/nginx.conf or Caddyfile, to be copied to where the proxy reads it.
NEXT
}

source=$(cd -P "$(dirname "${BASH_SOURCE[0]}")" && pwd)
program=/opt/gateway releases=/opt/gateway-releases settings=/etc/gateway data=/var/lib/gateway
credentials=$settings/credentials units=/usr/local/lib/systemd/system ctl=/usr/local/sbin/gateway-ctl own_redis=127.0.0.1:6391
command=install_all wheel='' is_dry='' root='' wheels='' redis='' redis_server='' python=python3 changes=0 has_new_accounts=''
requirements=$source/../requirements/image.txt

value() { [ $# -gt 1 ] || fail "$1 needs a value"; printf %s "$2"; }
while [ $# -gt 0 ]; do
  case $1 in
    install) command=install_all ;;
    rollback) command=roll_back ;;
    uninstall) command=uninstall ;;
    --dry-run) is_dry=yes ;;
    --python) python=$(value "$@"); shift ;;
    --redis) redis=$(value "$@"); shift ;;
    --requirements) requirements=$(value "$@"); shift ;;
    --root) root=$(cd -P "$(value "$@")" && pwd); shift ;;
    --wheels) wheels=$(value "$@"); shift ;;
    -h | --help) usage; exit ;;
    *.whl) wheel=$1 ;;
    *) usage >&2; fail "I do not know $1" ;;
  esac
  shift
done
$command
