/*
description: One row a departure, with what became of it
tags: [core]
time: time_hour
key: [time_hour, carrier, flight, origin]
*/
SELECT
  f.time_hour,
  f.carrier,
  f.flight,
  f.origin,
  f.dest,
  f.tailnum,
  f.time_hour + f.minute * interval '1 minute' AS scheduled_at,
  coalesce(i.status, 'flown') AS status,
  f.dep_delay,
  f.arr_delay,
  coalesce(f.arr_delay >= 15, false) AS late, -- what the US counts as late
  f.air_time,
  f.distance
FROM flights_raw f
LEFT JOIN irregular_raw i
  ON i.time_hour = f.time_hour AND i.carrier = f.carrier AND i.flight = f.flight AND i.origin = f.origin
  AND i.time_hour >= :start AND i.time_hour < :end
WHERE f.time_hour >= :start AND f.time_hour < :end
