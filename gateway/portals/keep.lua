#!lua
-- Keeps a delivery in the quarantine of its portal, if there is a place for it.
--
-- KEYS[1]  the portal's deliveries: receipt ids, by the time of receipt
-- KEYS[2]  those of them that carry the same token
-- KEYS[3]  this delivery
-- ARGV     receipt id, time of receipt (ms), time now (ms), milliseconds to keep it, places of the
--          portal, places of the token, the delivery itself
--
-- Returns `kept`, `full` or `token_full`. May be repeated: what is kept stays kept. What the user may
-- not do is found before a delivery is kept that is in no list.
local function refused(...)
  if not redis.acl_check_cmd(...) then
    return redis.error_reply('NOPERM this user may not ' .. select(1, ...) .. ' ' .. select(2, ...))
  end
end
local denial = refused('SET', KEYS[3], '', 'PX', ARGV[4])
  or refused('ZADD', KEYS[1], '0', '')
  or refused('PEXPIRE', KEYS[1], ARGV[4])
if denial then
  return denial
end
local receipt_id, received_ms, kept_ms = ARGV[1], ARGV[2], ARGV[4]
if redis.call('EXISTS', KEYS[3]) == 1 then
  return 'kept'
end
local expired = ARGV[3] - kept_ms
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', expired)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', expired)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[5]) then
  return 'full'
end
if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[6]) then
  return 'token_full'
end
redis.call('SET', KEYS[3], ARGV[7], 'PX', kept_ms)
for i = 1, 2 do
  redis.call('ZADD', KEYS[i], received_ms, receipt_id)
  redis.call('PEXPIRE', KEYS[i], kept_ms)
end
return 'kept'
