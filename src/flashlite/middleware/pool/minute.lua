-- One minute that a pool shares: what was let through is summed in buckets of a tenth of a second;
-- each counts for SPAN seconds after its end.
--
-- ARGV[1], as JSON: line, who {machine, process, program}, label, limits (4 numbers, null for none),
-- waiting (how many callers, the heads among them), heads (a list of 4 numbers each), told (a list
-- of {bucket, 4 numbers to add}), close (seconds), seen {epoch, count, ago (seconds), used}.
-- Returns as JSON: granted (how many heads), bucket, wait (seconds), epoch, count, used.
--
-- Or as JSON: look. Returns as JSON: label, limits, used, closed (seconds), lines.
-- `minute.py` does the same in Python.

local SPAN = 61 -- a minute, and what requests of several machines differ in on their way
local SHARE = 64 -- a turn ends after this part of a limit, if others wait
local GRACE = 2 -- seconds in which all tell what they saw, when Redis has lost the minute
local KEPT = 180

local limits, used = {}, {}
local kept = redis.call('HMGET', state, 'oldest', 'used', 'restored')
local bucket = math.floor(now * 10)
local over = math.floor((now - SPAN) * 10) - 1 -- the last bucket that counts no more
local oldest = tonumber(kept[1]) or bucket
used = kept[2] and cmsgpack.unpack(kept[2]) or {0, 0, 0, 0}
local restored = kept[3] and cmsgpack.unpack(kept[3])
for i = 1, 4 do
    local limit = said.limits and said.limits[i]
    limits[i] = type(limit) == 'number' and limit or math.huge
end

local function sum_of(number)
    local sum = redis.call('HGET', state, 'b:' .. number)
    return sum and cmsgpack.unpack(sum)
end

local function add(number, amount)
    local sum = sum_of(number) or {0, 0, 0, 0}
    for i = 1, 4 do
        sum[i], used[i] = sum[i] + amount[i], used[i] + amount[i]
    end
    redis.call('HSET', state, 'b:' .. number, cmsgpack.pack(sum))
    oldest = math.min(oldest, number)
end

local function expire()
    while oldest <= over do
        local sum = sum_of(oldest)
        if sum then
            for i = 1, 4 do
                used[i] = used[i] - sum[i]
            end
            redis.call('HDEL', state, 'b:' .. oldest)
        end
        oldest = oldest + 1
    end
end

-- Count what is left of an earlier epoch as taken now.
local function gather()
    while oldest < bucket do
        redis.call('HDEL', state, 'b:' .. oldest)
        oldest = oldest + 1
    end
    redis.call('HSET', state, 'b:' .. bucket, cmsgpack.pack(used))
    restored = {unpack(used)}
end

-- Count what a process saw in an earlier epoch as taken now. The largest report is the true one:
-- each later one includes the earlier ones, as far as they still counted.
local function restore(seen)
    if begin_epoch(seen) then
        gather()
    end
    if seen.epoch == '' or seen.epoch == epoch or seen.ago > SPAN then
        return
    end
    local more = {0, 0, 0, 0}
    for i = 1, 4 do
        more[i] = math.max(0, seen.used[i] - restored[i])
        restored[i] = math.max(seen.used[i], restored[i])
    end
    add(bucket, more)
    close_until(born + GRACE)
end

-- Count what a process used more or less than it had reserved. For a bucket that no longer counts,
-- the excess counts from now, because it was not counted.
local function correct(told)
    local number, change = math.min(told[1], bucket), {told[2], told[3], told[4], told[5]}
    if number <= over then
        number = bucket
        for i = 1, 4 do
            change[i] = math.max(0, change[i])
        end
    end
    add(number, change)
end

-- Return the time from which an amount fits. One larger than a limit takes all of it.
local function opens_at(amount)
    local missing, is_full = {}, false
    for i = 1, 4 do
        missing[i] = used[i] + math.min(amount[i], limits[i]) - limits[i]
        is_full = is_full or missing[i] > 0
    end
    local number = oldest
    while is_full and number <= bucket do
        local sum = sum_of(number)
        is_full = false
        for i = 1, 4 do
            missing[i] = missing[i] - (sum and sum[i] or 0)
            is_full = is_full or missing[i] > 0
        end
        number = number + 1
    end
    if number == oldest then
        return closed
    end
    return math.max(closed, number / 10 + SPAN)
end

-- Let in as many as fit, but at most a share if others wait.
local function admit(heads, others_wait)
    local granted, taken = 0, {0, 0, 0, 0}
    while granted < #heads and opens_at(heads[granted + 1]) <= now do
        granted = granted + 1
        add(bucket, heads[granted])
        for i = 1, 4 do
            taken[i] = taken[i] + heads[granted][i]
            if others_wait and taken[i] * SHARE >= limits[i] then
                return granted
            end
        end
    end
    return granted
end

local function save()
    save_epoch()
    redis.call('HSET', state, 'oldest', oldest, 'used', cmsgpack.pack(used),
        'restored', cmsgpack.pack(restored))
    for _, key in ipairs({state, queue, lines}) do
        redis.call('EXPIRE', key, KEPT)
    end
end

expire()
if said.look then
    if epoch then
        save()
    end
    local shown = redis.call('HMGET', state, 'label', 'limits')
    return cjson.encode({
        label = shown[1], limits = shown[2] and cjson.decode(shown[2]), used = used,
        closed = math.max(0, closed - now), lines = everybody(),
    })
end
restore(said.seen)
for _, told in ipairs(said.told) do
    correct(told)
end
if said.close > 0 then
    close_until(now + said.close)
end

local line, heads, granted, wait = said.line, said.heads, 0, 0
local turn = first()
if #heads > 0 and (turn == nil or turn == line) then
    granted = admit(heads, redis.call('ZCARD', queue) > (turn and 1 or 0))
end
if granted == #heads then
    leave(line)
else
    wait_in_queue(line, heads[granted + 1], granted > 0)
    local _, amount = first()
    wait = pause(line, opens_at(amount))
end

enlist(line, said.waiting - granted)
redis.call('HSET', state, 'label', said.label, 'limits', cjson.encode(said.limits))
count = count + 1
save()
return cjson.encode({
    granted = granted, bucket = bucket, wait = wait, epoch = epoch, count = count, used = used,
})
