#!lua
-- Count events in the minute KEYS[1], which lives ARGV[1] seconds: the rest of ARGV is the member id of
-- each portal and how many came. Returns for each, in their order, its sum and that of the minute
-- KEYS[2] before.
local sums = {}
for at = 2, #ARGV, 2 do
  local member_id = ARGV[at]
  sums[at - 1] = math.floor(tonumber(redis.call('ZINCRBY', KEYS[1], ARGV[at + 1], member_id)))
  sums[at] = math.floor(tonumber(redis.call('ZSCORE', KEYS[2], member_id) or 0))
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return sums
