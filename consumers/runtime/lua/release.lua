#!lua flags=allow-oom
-- Give up the lease KEYS[1] of the process ARGV[1] and epoch ARGV[2], at the position ARGV[4] of
-- the stream ARGV[3], of which ARGV[5] entries are known to be missing, and ARGV[6] were told of as
-- erased. All of it stays for the next owner.
local lease = redis.call('HMGET', KEYS[1], 'owner', 'epoch')
if lease[1] == ARGV[1] and lease[2] == ARGV[2] then
  redis.call('HDEL', KEYS[1], 'owner', 'until', 'life')
  redis.call('HSET', KEYS[1], 'stream', ARGV[3], 'position', ARGV[4],
    'missed', ARGV[5], 'erased_told', ARGV[6])
  return 1
end
return 0
