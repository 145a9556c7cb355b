#!lua
-- Keeps a delivery in the quarantine of its portal, if there is a place for it.
--
-- KEYS[1]  the portal's deliveries: receipt ids, by the time of receipt
-- KEYS[2]  those of them that carry the same token
-- KEYS[3]  this delivery
-- KEYS[4]  tokens of which something is kept, the one that gives way first at the front
-- KEYS[5]  how often each token came
-- ARGV     receipt id, time of receipt (ms), time now (ms), milliseconds to keep it, places of the
--          portal, places of the token, the delivery itself, its token, the number of deliveries
--          from which a token gives way to none, 1 if all portals together have as much as they may
--
-- A token's other keys begin with KEYS[1], so they lie in the same slot.
--
-- Returns `kept`, `took_place`, `full` or `token_full`; the bytes that were added; and of what gave
-- its place up, if anything, the bytes and the time of receipt. May be repeated: what is kept stays.
-- What the user may not do is found before a delivery is kept that is in no list.
-- uses: refused
local denial = refused('SET', KEYS[3], '', 'PX', ARGV[4])
  or refused('ZADD', KEYS[1], '0', '')
  or refused('ZINCRBY', KEYS[5], '1', '')
  or refused('ZREM', KEYS[1], '')
  or refused('ZREMRANGEBYRANK', KEYS[5], '0', '0')
  or refused('STRLEN', KEYS[3])
  or refused('DEL', KEYS[3])
  or refused('PEXPIRE', KEYS[1], ARGV[4])
if denial then
  return denial
end
local receipt_id, received_ms, kept_ms, token = ARGV[1], ARGV[2], ARGV[4], ARGV[8]
if redis.call('EXISTS', KEYS[3]) == 1 then
  return {'kept', 0, 0, 0}
end
local expired = ARGV[3] - kept_ms
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', expired)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', expired)
local came = tonumber(redis.call('ZINCRBY', KEYS[5], 1, token))
redis.call('ZREMRANGEBYRANK', KEYS[5], 0, -1 - tonumber(ARGV[5]))
redis.call('PEXPIRE', KEYS[5], kept_ms)

-- A token's rank: how much of it is kept, and then when it came last, in seconds.
local function rank(index)
  local last = redis.call('ZRANGE', index, -1, -1, 'WITHSCORES')
  return redis.call('ZCARD', index), redis.call('ZCARD', index) * 1e10 + math.floor(last[2] / 1000)
end

-- The delivery that gives way: the oldest of the token of which least is kept.
local function place_taken()
  for _ = 1, 50 do
    local found = redis.call('ZRANGE', KEYS[4], 0, 1, 'WITHSCORES')
    local at = found[1] == token and 3 or 1
    local other, known = found[at], tonumber(found[at + 1])
    if not other then
      return false
    end
    local index = KEYS[1] .. ':token:' .. other
    redis.call('ZREMRANGEBYSCORE', index, '-inf', expired)
    if redis.call('EXISTS', index) == 0 then
      redis.call('ZREM', KEYS[4], other)
    else
      local count, now = rank(index)
      if now ~= known then
        redis.call('ZADD', KEYS[4], now, other)
      elseif count >= tonumber(ARGV[9]) or count > came then
        return false
      else
        return other, redis.call('ZRANGE', index, 0, 0, 'WITHSCORES')
      end
    end
  end
  return false
end

if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[6]) then
  return {'token_full', 0, 0, 0}
end
local verdict, freed, freed_at = 'kept', 0, 0
if ARGV[10] == '1' or redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[5]) then
  local other, oldest = place_taken()
  if not other then
    return {'full', 0, 0, 0}
  end
  local key = KEYS[1] .. ':' .. oldest[1]
  verdict, freed, freed_at = 'took_place', redis.call('STRLEN', key), oldest[2]
  redis.call('DEL', key)
  redis.call('ZREM', KEYS[1], oldest[1])
  redis.call('ZREM', KEYS[1] .. ':token:' .. other, oldest[1])
end
redis.call('SET', KEYS[3], ARGV[7], 'PX', kept_ms)
for i = 1, 2 do
  redis.call('ZADD', KEYS[i], received_ms, receipt_id)
  redis.call('PEXPIRE', KEYS[i], kept_ms)
end
local _, now = rank(KEYS[2])
redis.call('ZADD', KEYS[4], now, token)
redis.call('PEXPIRE', KEYS[4], kept_ms)
return {verdict, #ARGV[7], freed, tonumber(freed_at)}
