-- Store tokens whatever there was, or none; a refresh under way can no longer write.
-- KEYS: tokens; ARGV: sealed tokens, or nothing
local epoch = redis.call('HINCRBY', KEYS[1], 'epoch', 1)
redis.call('HSET', KEYS[1], 'written_epoch', epoch)
redis.call('HINCRBY', KEYS[1], 'version', 1)
if ARGV[1] == '' then
    redis.call('HDEL', KEYS[1], 'sealed')
else
    redis.call('HSET', KEYS[1], 'sealed', ARGV[1])
end
return epoch
