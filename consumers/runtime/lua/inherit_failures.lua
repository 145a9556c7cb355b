#!lua flags=allow-oom
-- Give the new owner what the hash KEYS[2] says of failed attempts of the group ARGV[2], if the lease
-- KEYS[1] has the epoch ARGV[1]: fields and values in turn, or nil if another process owns the
-- partition. What is neither pending on the stream KEYS[3], whose name is ARGV[3], nor on the
-- redeliveries KEYS[4], named ARGV[4], is removed: it was acknowledged by somebody else, or the group
-- reads another stream now. The hash expires ARGV[5] seconds after this.
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if epoch and epoch ~= ARGV[1] then
  return false
end
local sources = {[ARGV[3]] = KEYS[3], [ARGV[4]] = KEYS[4]}
local all, left = redis.call('HGETALL', KEYS[2]), {}
for at = 1, #all, 2 do
  local name, id = string.match(all[at], '^(.*):(%d+%-%d+)$')
  local source = name and sources[name]
  local pending = source and redis.pcall('XPENDING', source, ARGV[2], id, id, 1)
  if pending and not pending.err and #pending == 1 then
    left[#left + 1] = all[at]
    left[#left + 1] = all[at + 1]
  else
    redis.call('HDEL', KEYS[2], all[at])
  end
end
redis.call('EXPIRE', KEYS[2], ARGV[5])
return left
