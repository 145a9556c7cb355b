#!lua flags=allow-oom
-- Acknowledge entries of the stream KEYS[2] and of the redeliveries KEYS[3] for the group ARGV[2],
-- if the lease KEYS[1] still has the epoch ARGV[1]; returns 1, or -1 if another process owns the
-- partition. ARGV[3] to ARGV[5] are how many ids follow: of KEYS[2] that were handled, of KEYS[2] that
-- were passed over, and of KEYS[3]; behind them stand the fields of the hash KEYS[4] in which failed
-- attempts of these entries were noted. KEYS[5] is the group's balance, which counts those of KEYS[2].
-- A redelivery is for this group alone, so it is deleted as well. Idempotent.
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if epoch and epoch ~= ARGV[1] then
  return -1
end
local first = 6
local function some(count, act)
  local last = first + count - 1
  for at = first, last, 1000 do
    act(at, math.min(at + 999, last))
  end
  first = last + 1
end
for n, name in ipairs({'handled', 'passed_over'}) do
  local count = 0
  some(ARGV[2 + n], function(from, upto)
    count = count + redis.call('XACK', KEYS[2], ARGV[2], unpack(ARGV, from, upto))
  end)
  if count > 0 then
    -- Counting keeps nobody from acknowledging.
    redis.pcall('HINCRBY', KEYS[5], name, count)
  end
end
some(ARGV[5], function(from, upto)
  redis.call('XACK', KEYS[3], ARGV[2], unpack(ARGV, from, upto))
  redis.call('XDEL', KEYS[3], unpack(ARGV, from, upto))
end)
some(#ARGV - first + 1, function(from, upto)
  redis.call('HDEL', KEYS[4], unpack(ARGV, from, upto))
end)
return 1
