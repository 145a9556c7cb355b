#!lua flags=no-writes
-- What became of the entries that the group ARGV[1] was given of the stream KEYS[1], at one moment, by
-- the balance KEYS[2] and the lease KEYS[3]: {entries ever added, entries read or -1, pending, clock in
-- ms, fields and values of the balance, entries that were erased unread, {the server's lag or -1, length,
-- ids of the last entry that was given, of the first and of the last one}}. Nil if there is no such group.
-- Before Redis 7.4 the count of entries read does not survive a restart, so it is not believed there:
-- https://github.com/redis/redis/pull/12898
-- uses: named
if redis.call('EXISTS', KEYS[1]) == 0 then
  return false
end
local group
for _, flat in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local one = named(flat)
  if one['name'] == ARGV[1] then
    group = one
  end
end
if not group then
  return false
end
local valkey = redis.VALKEY_VERSION_NUM
local keeps_count = valkey and valkey >= 0x080000 or not valkey and redis.REDIS_VERSION_NUM >= 0x070400
local time = redis.call('TIME')
local stream = named(redis.call('XINFO', 'STREAM', KEYS[1]))
local first = stream['first-entry']
return {
  stream['entries-added'],
  keeps_count and group['entries-read'] or -1,
  redis.call('XPENDING', KEYS[1], ARGV[1])[1],
  time[1] * 1000 + math.floor(time[2] / 1000),
  redis.call('HGETALL', KEYS[2]),
  tonumber(redis.call('HGET', KEYS[3], 'erased') or 0),
  {
    keeps_count and group['lag'] or -1,
    stream['length'],
    group['last-delivered-id'],
    first and first[1] or '',
    stream['last-generated-id'],
  },
}
