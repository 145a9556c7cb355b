-- Store tokens that were made of those of a known version.
-- KEYS: tokens
-- ARGV: version, epoch (0: without the lock), sealed tokens
-- Returns 1; 0 if the version is another one now; -1 if a later epoch has written.
local kept = redis.call('HMGET', KEYS[1], 'version', 'written_epoch')
local epoch = tonumber(ARGV[2])
if epoch > 0 and epoch < tonumber(kept[2] or 0) then
    return -1
end
if tonumber(kept[1] or 0) ~= tonumber(ARGV[1]) then
    return 0
end
redis.call('HSET', KEYS[1], 'sealed', ARGV[3])
redis.call('HINCRBY', KEYS[1], 'version', 1)
if epoch > 0 then
    redis.call('HSET', KEYS[1], 'written_epoch', epoch)
end
return 1
