#!lua flags=allow-oom
-- Take the lease KEYS[1] for the process ARGV[1], for ARGV[2] ms, if nobody else holds it.
-- Returns {epoch, stream, position, missed, erased_told}, or {0, owner} if somebody does.
-- A lease that ends later than its life from now was given by a clock that has been put right since: it
-- ends then, unless its owner keeps it.
-- An epoch is at least the server's clock in ms, so that it grows even when the lease was lost
-- with the server's memory; sinks may refuse lower ones for ever.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lease = redis.call('HMGET', KEYS[1], 'owner', 'until', 'epoch', 'stream', 'position',
  'missed', 'life', 'erased_told')
if lease[1] and lease[1] ~= ARGV[1] and tonumber(lease[2]) > now then
  local latest = now + (lease[7] or ARGV[2])
  if tonumber(lease[2]) > latest then
    redis.call('HSET', KEYS[1], 'until', string.format('%.0f', latest))
  end
  return {0, lease[1]}
end
local epoch = math.max(now, tonumber(lease[3] or 0) + 1)
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'epoch', string.format('%.0f', epoch),
  'until', string.format('%.0f', now + ARGV[2]), 'life', ARGV[2])
return {epoch, lease[4] or '', lease[5] or '', lease[6] or '', lease[8] or ''}
