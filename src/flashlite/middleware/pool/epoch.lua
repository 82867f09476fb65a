-- What a room knows of itself: its time, which goes with Redis's clock but never back, and its epoch.
-- That ends when the room holds less than somebody saw there: a Redis that was restarted may hold
-- nothing, or what was there a while ago. Times are the room's. `epoch.py` says the same in Python.

local state, queue, holders, lines, rooms = unpack(KEYS)
local said = cjson.decode(ARGV[1])
local clock = redis.call('TIME')
local ticks = clock[1] + clock[2] / 1e6
local known = redis.call('HMGET', state, 'ticks', 'now', 'epoch', 'count', 'born', 'closed')
local now = (tonumber(known[2]) or ticks) + math.max(0, ticks - (tonumber(known[1]) or ticks))
local epoch, count = known[3], tonumber(known[4]) or 0
local born, closed = tonumber(known[5]) or now, tonumber(known[6]) or 0

-- Begin an epoch if the room is new, or has lost something; say whether it did.
local function begin_epoch(seen)
    if epoch and not (seen.epoch == epoch and seen.count > count) then
        return false
    end
    epoch, born = clock[1] .. '.' .. clock[2], now
    return true
end

local function close_until(moment)
    closed = math.max(closed, moment)
end

local function save_epoch()
    redis.call('HSET', state, 'ticks', ticks, 'now', now, 'epoch', epoch, 'count', count,
        'born', born, 'closed', closed)
end
