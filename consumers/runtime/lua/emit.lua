#!lua
-- Write what entries became, and acknowledge them for the group ARGV[2], if the lease KEYS[1] still
-- has the epoch ARGV[1]; returns 1, or -1 if another process owns the partition.
-- KEYS[2] is the output, KEYS[3] the memory of the last ARGV[3] entries that were written before
-- this call, and of those of this one, KEYS[4]
-- the stream, KEYS[5] the redeliveries, KEYS[6] the hash of failed attempts, KEYS[7] the group's
-- balance, which counts the entries of KEYS[4]; the keys of further writes follow.
-- ARGV from 4 on: how many fields of KEYS[6] are over with these entries, and these; for each entry: 0
-- if it is of KEYS[4] and 1 if of KEYS[5]; its id; 1 if what it became is old; how many events, and
-- these; how many writes, and for each: command, number of its key in KEYS, how many arguments, and
-- these.
-- An entry that is remembered was written before, and is only acknowledged. What can fail or be
-- refused comes before an entry's first event, so a failure leaves whole entries behind and the rest
-- as they were.
-- Refused when memory is short: an entry that cannot be written must not be acknowledged.
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if epoch and epoch ~= ARGV[1] then
  return -1
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local at = 4
local function take()
  at = at + 1
  return ARGV[at - 1]
end
-- All that follows an event is tried first, to no effect: there is no entry 0-0, and none of an
-- empty name is remembered. A user without the right to one of these is refused here, not between
-- an event and its memory.
redis.call('XACK', KEYS[4], ARGV[2], '0-0')
redis.call('XACK', KEYS[5], ARGV[2], '0-0')
redis.call('XDEL', KEYS[5], '0-0')
redis.call('HDEL', KEYS[6], '')
redis.call('ZADD', KEYS[3], 'XX', now, '')
redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -1 - tonumber(ARGV[3]))
redis.call('EXPIRE', KEYS[3], 604800)
local noted = {}
for i = 1, tonumber(take()) do
  noted[i] = take()
end
while at <= #ARGV do
  local own, id, is_old = take() == '1', take(), take() == '1'
  local name = (own and 'own:' or 'shared:') .. id
  local is_new = not redis.call('ZSCORE', KEYS[3], name)
  local events = {}
  for i = 1, tonumber(take()) do
    events[i] = take()
  end
  for _ = 1, tonumber(take()) do
    local command, key, count = take(), KEYS[tonumber(take())], tonumber(take())
    if is_new then
      redis.call(command, key, unpack(ARGV, at, at + count - 1))
    end
    at = at + count
  end
  if is_new then
    for _, event in ipairs(events) do
      if is_old then
        redis.call('XADD', KEYS[2], '*', 'event', event, 'kind', 'replay')
      else
        redis.call('XADD', KEYS[2], '*', 'event', event)
      end
    end
    redis.call('ZADD', KEYS[3], now, name)
  end
  local source = own and KEYS[5] or KEYS[4]
  local acknowledged = redis.call('XACK', source, ARGV[2], id)
  if own then
    redis.call('XDEL', source, id)
  elseif acknowledged == 1 then
    redis.pcall('HINCRBY', KEYS[7], 'handled', 1)
  end
end
redis.call('EXPIRE', KEYS[3], 604800)
if #noted > 0 then
  redis.call('HDEL', KEYS[6], unpack(noted))
end
return 1
