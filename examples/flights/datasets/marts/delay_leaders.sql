/*
description: The carriers, most delayed first
tags: [mart]
grain: none
key: [carrier]
*/
SELECT
  rank() OVER (ORDER BY sum(dep_delay_minutes) / sum(flights - cancelled) DESC) AS place,
  carrier,
  max(airline) AS airline,
  sum(flights)::bigint AS flights,
  round(sum(dep_delay_minutes) / sum(flights - cancelled), 2) AS dep_delay_mean,
  round(100 * sum(late) / sum(flights), 1) AS late_percent,
  round(100 * sum(cancelled) / sum(flights), 1) AS cancelled_percent
FROM carrier_day
WHERE day >= :start AND day < :end
GROUP BY carrier
