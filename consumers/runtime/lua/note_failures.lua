#!lua
-- Keep in the hash KEYS[2] how the group ARGV[2] failed last with entries of the stream KEYS[3] and of
-- the redeliveries KEYS[4], if the lease KEYS[1] still has the epoch ARGV[1]; returns 1, or -1 if
-- another process owns the partition. The hash expires ARGV[3] seconds after this.
-- ARGV[4] is how many fields are to be removed first, which follow; then for each entry: 0 if it is of
-- KEYS[3] and 1 if of KEYS[4], its id, its field and the value.
-- What is not pending any more was settled meanwhile, and is passed over. Idempotent.
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if epoch and epoch ~= ARGV[1] then
  return -1
end
local first = 5 + ARGV[4]
if first > 5 then
  redis.call('HDEL', KEYS[2], unpack(ARGV, 5, first - 1))
end
for at = first, #ARGV, 4 do
  local source = ARGV[at] == '1' and KEYS[4] or KEYS[3]
  local pending = redis.pcall('XPENDING', source, ARGV[2], ARGV[at + 1], ARGV[at + 1], 1)
  if not pending.err and #pending == 1 then
    redis.call('HSET', KEYS[2], ARGV[at + 2], ARGV[at + 3])
  end
end
redis.call('EXPIRE', KEYS[2], ARGV[3])
return 1
