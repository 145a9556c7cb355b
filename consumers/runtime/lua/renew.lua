#!lua flags=allow-oom
-- Renew the leases KEYS of the process ARGV[1] for ARGV[2] ms; then for each key its epoch, the
-- name of the stream, the position on it, how many entries are known to be missing, and how many were
-- told of as erased. Returns 1 for each that is still held, else 0.
-- A lease that vanished with the server's memory is held on to: nobody else has taken it since.
local time = redis.call('TIME')
local ends = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[2])
local held = {}
for i, key in ipairs(KEYS) do
  local epoch = ARGV[5 * i - 2]
  local lease = redis.call('HMGET', key, 'owner', 'epoch')
  if not lease[2] or (lease[1] == ARGV[1] and lease[2] == epoch) then
    redis.call('HSET', key, 'owner', ARGV[1], 'epoch', epoch, 'until', ends, 'life', ARGV[2],
      'stream', ARGV[5 * i - 1], 'position', ARGV[5 * i], 'missed', ARGV[5 * i + 1],
      'erased_told', ARGV[5 * i + 2])
    held[i] = 1
  else
    held[i] = 0
  end
end
return held
