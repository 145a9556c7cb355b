#!lua flags=no-writes
-- Returns what each of KEYS holds, all of one moment: {type, left, values, now} with the time to live in ms,
-- negative for none, and the server's clock in ms. Of a key that is gone the type is 'none'.
--
-- The values of a stream are {last id, entries added, greatest deleted id, groups}, each group with
-- its name, last delivered id, entries read (or false), and pending entries as XPENDING has them.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function fields_of(reply)
  local found = {}
  for i = 1, #reply, 2 do
    found[reply[i]] = reply[i + 1]
  end
  return found
end

local function stream(key)
  local about = fields_of(redis.call('XINFO', 'STREAM', key))
  local groups = {}
  for i, row in ipairs(redis.call('XINFO', 'GROUPS', key)) do
    local group = fields_of(row)
    local pending = {}
    if group['pending'] > 0 then
      pending = redis.call('XPENDING', key, group['name'], '-', '+', group['pending'])
    end
    groups[i] = {group['name'], group['last-delivered-id'], group['entries-read'] or false, pending}
  end
  return {about['last-generated-id'], about['entries-added'], about['max-deleted-entry-id'], groups}
end

local ask = {
  string = function(key) return {redis.call('GET', key)} end,
  hash = function(key) return redis.call('HGETALL', key) end,
  zset = function(key) return redis.call('ZRANGE', key, 0, -1, 'WITHSCORES') end,
  set = function(key) return redis.call('SMEMBERS', key) end,
  list = function(key) return redis.call('LRANGE', key, 0, -1) end,
  stream = stream,
}
local found = {}
for i, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key)['ok']
  local values = ask[kind] and ask[kind](key) or {}
  found[i] = {kind, redis.call('PTTL', key), values, now}
end
return found
