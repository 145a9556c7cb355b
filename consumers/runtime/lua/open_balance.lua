#!lua flags=allow-oom
-- Begin the balance KEYS[2] of the group ARGV[1] on the stream KEYS[1], whose lease is KEYS[3], where it
-- has none yet: note how many entries the group had been given, and how many of them were pending.
-- Returns 1 if it has one now, 0 if the server cannot say how many were read; then the next owner tries
-- again. With ARGV[2] as `anew` the group was made just now, and what was counted before is of another
-- one. A user without the right to it has none: counting keeps nobody from working.
-- uses: named
if ARGV[2] == 'anew' then
  for _, name in ipairs({'base_read', 'handled', 'passed_over', 'dead', 'struck', 'erased'}) do
    redis.pcall('HDEL', KEYS[2], name)
  end
end
local begun = redis.pcall('HGET', KEYS[2], 'base_read')
if type(begun) == 'string' then
  return 1
end
local read
for _, flat in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local one = named(flat)
  if one['name'] == ARGV[1] then
    read = one['entries-read'] or one['last-delivered-id'] == '0-0' and 0
    -- A group that begins at the end has no count before its first read; then it is of all entries.
    local stream = named(redis.call('XINFO', 'STREAM', KEYS[1]))
    if not read and one['last-delivered-id'] == stream['last-generated-id'] then
      read = stream['entries-added']
    end
  end
end
if not read then
  return 0
end
local time = redis.call('TIME')
local noted = redis.pcall('HSET', KEYS[2], 'base_read', read,
  'base_pending', redis.call('XPENDING', KEYS[1], ARGV[1])[1],
  'base_erased', tonumber(redis.call('HGET', KEYS[3], 'erased') or 0),
  'since', string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)))
return type(noted) == 'table' and 0 or 1
