#!lua flags=no-writes
-- How the group ARGV[1] stands on the stream KEYS[1], at one moment: {length, entries ever added,
-- first id, last id ever, group's last delivered id, its count of entries read or -1, pending,
-- oldest pending id, pending redeliveries of KEYS[2], dead letters in KEYS[3], unread entries that
-- were ever erased on request, by the note in the lease KEYS[4], clock in ms}.
-- Raises NOGROUP if there is no such group.
-- Before Redis 7.4 the count of entries read is neither in the append-only file nor replicated: after
-- a restart or a failover it is too small, so it is not believed there; Valkey has kept it since 8.
-- https://github.com/redis/redis/pull/12898
-- uses: named
local pending = redis.call('XPENDING', KEYS[1], ARGV[1])
local again = redis.call('XPENDING', KEYS[2], ARGV[1])
local stream = named(redis.call('XINFO', 'STREAM', KEYS[1]))
local group
for _, flat in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local one = named(flat)
  if one['name'] == ARGV[1] then
    group = one
  end
end
local valkey = redis.VALKEY_VERSION_NUM
local keeps_count = valkey and valkey >= 0x080000 or not valkey and redis.REDIS_VERSION_NUM >= 0x070400
local time = redis.call('TIME')
return {
  stream['length'], stream['entries-added'],
  stream['first-entry'] and stream['first-entry'][1] or '', stream['last-generated-id'],
  group['last-delivered-id'], keeps_count and group['entries-read'] or -1,
  pending[1], pending[2] or '', again[1], redis.call('XLEN', KEYS[3]),
  tonumber(redis.call('HGET', KEYS[4], 'erased') or 0),
  time[1] * 1000 + math.floor(time[2] / 1000),
}
