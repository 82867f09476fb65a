-- A room's own time, which follows Redis's clock but never goes back, and its epoch. An epoch ends
-- when the room holds less than some process saw in it: a restarted Redis may hold nothing, or
-- older data. All times are the room's. `epoch.py` does the same in Python.

local state, queue, holders, lines, rooms = unpack(KEYS)
local said = cjson.decode(ARGV[1])
local clock = redis.call('TIME')
local ticks = clock[1] + clock[2] / 1e6
local known = redis.call('HMGET', state, 'ticks', 'now', 'epoch', 'count', 'born', 'closed')
local now = (tonumber(known[2]) or ticks) + math.max(0, ticks - (tonumber(known[1]) or ticks))
local epoch, count = known[3], tonumber(known[4]) or 0
local born, closed = tonumber(known[5]) or now, tonumber(known[6]) or 0

-- Begin an epoch if the room is new or has lost data; return whether it did.
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
