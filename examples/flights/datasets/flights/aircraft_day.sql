/*
description: How much each aircraft was used on each day, as far as New York saw it
time: day
key: [day, tailnum]
*/
SELECT
  date_trunc('day', f.time_hour) AS day,
  f.tailnum,
  p.model,
  p.seats,
  count(*) AS departures,
  min(f.scheduled_at) AS first_departure,
  max(f.scheduled_at) AS last_departure,
  sum(f.air_time) AS air_minutes,
  sum(f.distance) AS miles,
  sum(f.distance) * p.seats AS seat_miles
FROM flights_clean f
LEFT JOIN planes_raw p ON p.tailnum = f.tailnum
WHERE f.time_hour >= :start AND f.time_hour < :end AND f.status = 'flown' AND f.tailnum IS NOT NULL
GROUP BY 1, f.tailnum, p.model, p.seats
