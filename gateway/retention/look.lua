#!lua flags=no-writes,allow-oom
-- All that retention wants to know of the stream KEYS[1], at one moment, with its books KEYS[2].
-- ARGV[1] bounds how many lost pending entries are counted.
-- Returns {now in ms, {own, others, highest deleted id}, nil or {length, first id, last id, highest
-- deleted id, entries added}, groups}; each group is {name, last delivered id, entries read, lag,
-- pending, first pending id that is there, pending before the first entry, first unread id}. What
-- there is not is nil.
-- A script, because Redis 7.0 refuses transactions when it is out of memory, even such as only read.
-- uses: named
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local books = redis.call('HMGET', KEYS[2], 'own', 'others', 'max_deleted')
local info = redis.pcall('XINFO', 'STREAM', KEYS[1])
if info.err then
  return string.find(info.err, 'no such key', 1, true) and {now, books, false, {}} or info
end
local stream = named(info)
local first = stream['first-entry'] and stream['first-entry'][1] or false
local groups = {}
for _, row in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local group = named(row)
  local name = group['name']
  local pending, gone = {}, 0
  if group['pending'] > 0 then
    if first then
      gone = #redis.call('XPENDING', KEYS[1], name, '-', '(' .. first, ARGV[1])
      pending = redis.call('XPENDING', KEYS[1], name, first, '+', 1)
    else
      gone = group['pending']
    end
  end
  local unread = redis.call('XRANGE', KEYS[1], '(' .. group['last-delivered-id'], '+', 'COUNT', 1)
  table.insert(groups, {
    name, group['last-delivered-id'], group['entries-read'], group['lag'], group['pending'],
    pending[1] and pending[1][1] or false, gone, unread[1] and unread[1][1] or false,
  })
end
return {now, books, {
  stream['length'], first, stream['last-generated-id'], stream['max-deleted-entry-id'],
  stream['entries-added'],
}, groups}
