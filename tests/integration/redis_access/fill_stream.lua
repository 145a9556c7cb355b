-- Append ARGV[2] small entries to the stream KEYS[1], one each ARGV[3] milliseconds from ARGV[1] on.
local start, apart = tonumber(ARGV[1]), tonumber(ARGV[3])
for number = 0, tonumber(ARGV[2]) - 1 do
  redis.call('XADD', KEYS[1], string.format('%.0f-0', start + number * apart), 'event', number)
end
