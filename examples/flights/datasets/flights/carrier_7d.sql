/*
description: Each carrier's last seven days, day by day
time: day
key: [day, carrier]
needs:
  flights_clean: { lookback: 6d } # seven days: its own and the six before
*/
SELECT
  d AS day,
  f.carrier,
  count(*) AS flights_7d,
  count(*) FILTER (WHERE f.status = 'cancelled') AS cancelled_7d,
  round(avg(f.dep_delay), 2) AS dep_delay_mean_7d
FROM generate_series(:start, :end - interval '1 day', interval '1 day') d
JOIN flights_clean f ON f.time_hour >= d - interval '6 days' AND f.time_hour < d + interval '1 day'
WHERE f.time_hour >= :start - interval '6 days' AND f.time_hour < :end
GROUP BY 1, 2
