/**
 * What each table of the warehouse must hold, worked out a second time, from the source alone.
 *
 * Nothing is shared with `datasets/`: days come from AT TIME ZONE and not from the session's zone, flights are not cleaned
 * first, means are sums over counts, percentiles are the n-th row, moving windows are window frames and not joins.
 * A mistake in a dataset would have to be made twice, in two ways, to pass unnoticed.
 */
export interface Expected {
  /** Dataset, and name of its table. */
  readonly name: string;
  /** Over the tables of the source; its columns are the dataset's, in order. */
  readonly sql: string;
  /** ORDER BY over its key. Text by "C", so that two databases agree whatever their collations. */
  readonly order: string;
}

const BY_FLIGHT = 'time_hour, carrier COLLATE "C", flight, origin COLLATE "C"';

/** `day` of a flight: local midnight, as an instant. */
const DAY = `make_timestamptz(year, month, day, 0, 0, 0, 'America/New_York')`;

/** Each observed hour with what it was like: all that applies, ranked, of which the worst is kept. */
const OBSERVED = `
  (SELECT origin, time_hour, temp, wind_speed, precip, visib, substr(min(rank || label), 2) AS conditions
   FROM weather, LATERAL (VALUES ('1', 'low visibility', visib < 3), ('2', 'rain or snow', precip > 0),
                                 ('3', 'windy', wind_speed >= 20), ('4', 'fair', true)) AS c (rank, label, applies)
   WHERE applies
   GROUP BY 1, 2, 3, 4, 5, 6) AS observed`;

const copyOf = (name: string, order: string): Expected => ({
  name: `${name}_raw`,
  sql: `SELECT * FROM ${name}`,
  order,
});

const OPS: readonly Expected[] = [
  copyOf('flights', BY_FLIGHT),
  copyOf('weather', 'time_hour, origin COLLATE "C"'),
  copyOf('planes', 'tailnum COLLATE "C"'),
  copyOf('airports', 'faa COLLATE "C"'),
  copyOf('airlines', 'carrier COLLATE "C"'),
  {
    name: 'irregular_raw',
    sql: `
      SELECT time_hour, carrier, flight, origin, 'cancelled' AS status FROM flights WHERE dep_time IS NULL
      UNION ALL
      SELECT time_hour, carrier, flight, origin, 'diverted' FROM flights WHERE dep_time IS NOT NULL AND arr_delay IS NULL`,
    order: BY_FLIGHT,
  },
  {
    name: 'schedule_raw',
    sql: `
      SELECT time_hour, origin, sum(n)::bigint AS departures, count(*) AS carriers
      FROM (SELECT time_hour, origin, carrier, count(*) AS n FROM flights GROUP BY 1, 2, 3) AS by_carrier
      GROUP BY 1, 2`,
    order: 'time_hour, origin COLLATE "C"',
  },
];

const FLIGHTS: readonly Expected[] = [
  {
    name: 'flights_clean',
    sql: `
      SELECT time_hour, carrier, flight, origin, dest, tailnum,
             make_timestamptz(year, month, day, hour, minute, 0, 'America/New_York') AS scheduled_at,
             CASE WHEN arr_delay IS NOT NULL THEN 'flown' WHEN dep_time IS NOT NULL THEN 'diverted' ELSE 'cancelled' END
               AS status,
             dep_delay, arr_delay, arr_delay IS NOT NULL AND NOT arr_delay < 15 AS late, air_time, distance
      FROM flights`,
    order: BY_FLIGHT,
  },
  {
    name: 'flights_weather',
    sql: `
      SELECT time_hour, carrier, flight, origin,
             CASE WHEN arr_delay IS NOT NULL THEN 'flown' WHEN dep_time IS NOT NULL THEN 'diverted' ELSE 'cancelled' END
               AS status,
             dep_delay, count(*) OVER (PARTITION BY origin, year, month, day, hour) AS departures_in_hour,
             temp, wind_speed, precip, visib, coalesce(conditions, 'unknown') AS conditions
      FROM flights LEFT JOIN ${OBSERVED} USING (origin, time_hour)`,
    order: BY_FLIGHT,
  },
  {
    name: 'carrier_day',
    sql: `
      SELECT day, carrier, (SELECT name FROM airlines WHERE airlines.carrier = ranked.carrier) AS airline,
             count(*) AS flights, count(*) - count(dep_time) AS cancelled, sum((arr_delay >= 15)::integer) AS late,
             sum(dep_delay) AS dep_delay_minutes,
             round(sum(dep_delay) / nullif(count(dep_delay), 0)::numeric, 2) AS dep_delay_mean,
             min(dep_delay) FILTER (WHERE place >= 0.9 * departed) AS dep_delay_p90
      FROM (SELECT ${DAY} AS day, carrier, dep_time, dep_delay, coalesce(arr_delay, 0) AS arr_delay,
                   row_number() OVER (PARTITION BY year, month, day, carrier ORDER BY dep_delay NULLS LAST) AS place,
                   count(dep_delay) OVER (PARTITION BY year, month, day, carrier) AS departed
            FROM flights) AS ranked
      GROUP BY 1, 2`,
    order: 'day, carrier COLLATE "C"',
  },
  {
    name: 'carrier_7d',
    sql: `
      SELECT make_timestamptz(extract(year FROM d)::int, extract(month FROM d)::int, extract(day FROM d)::int,
                              0, 0, 0, 'America/New_York') AS day,
             carrier, flights::bigint AS flights_7d, cancelled::bigint AS cancelled_7d,
             round(minutes / nullif(departed, 0), 2) AS dep_delay_mean_7d
      FROM (SELECT d, carrier, sum(flights) OVER week AS flights, sum(cancelled) OVER week AS cancelled,
                   sum(minutes) OVER week AS minutes, sum(departed) OVER week AS departed
            FROM (SELECT generate_series(0, 364) + date '2013-01-01' AS d) AS days
            CROSS JOIN (SELECT DISTINCT carrier FROM flights) AS carriers
            LEFT JOIN (SELECT make_date(year, month, day) AS d, carrier, count(*) AS flights, sum(dep_delay) AS minutes,
                              count(dep_delay) AS departed, count(*) - count(dep_time) AS cancelled
                       FROM flights GROUP BY 1, 2) AS daily USING (d, carrier)
            WINDOW week AS (PARTITION BY carrier ORDER BY d ROWS 6 PRECEDING)) AS windows
      WHERE flights > 0`,
    order: 'day, carrier COLLATE "C"',
  },
  {
    name: 'route_day',
    sql: `
      SELECT ${DAY} AS day, origin, dest, (SELECT name FROM airports WHERE faa = dest) AS dest_name,
             count(*) AS flights, count(arr_delay) AS flown,
             sum(CASE WHEN arr_delay < 15 THEN 1 ELSE 0 END) AS on_time,
             round(sum(CASE WHEN arr_delay < 15 THEN 100 ELSE 0 END) / count(*)::numeric, 1) AS punctual_percent,
             round(sum(air_time) / nullif(count(air_time), 0)::numeric, 1) AS air_minutes_mean
      FROM flights GROUP BY year, month, day, origin, dest`,
    order: 'day, origin COLLATE "C", dest COLLATE "C"',
  },
  {
    name: 'aircraft_day',
    sql: `
      SELECT ${DAY} AS day, tailnum, model, seats, departures,
             make_timestamptz(year, month, day, earliest / 60, earliest % 60, 0, 'America/New_York') AS first_departure,
             make_timestamptz(year, month, day, latest / 60, latest % 60, 0, 'America/New_York') AS last_departure,
             air_minutes, miles, miles * seats AS seat_miles
      FROM (SELECT year, month, day, tailnum, count(*) AS departures, min(60 * hour + minute) AS earliest,
                   max(60 * hour + minute) AS latest, sum(air_time) AS air_minutes, sum(distance) AS miles
            FROM flights WHERE arr_delay IS NOT NULL GROUP BY 1, 2, 3, 4) AS used
      LEFT JOIN (SELECT tailnum, model, seats FROM planes) AS planes USING (tailnum)
      WHERE tailnum <> ''`,
    order: 'day, tailnum COLLATE "C"',
  },
];

const MARTS: readonly Expected[] = [
  {
    name: 'delay_leaders',
    sql: `
      SELECT 1 + count(worse.carrier) AS place, one.carrier, airlines.name AS airline, one.flights,
             round(one.mean, 2) AS dep_delay_mean, round(one.late, 1) AS late_percent,
             round(one.cancelled, 1) AS cancelled_percent
      FROM (SELECT carrier, avg(dep_delay) FILTER (WHERE dep_time IS NOT NULL) AS mean, count(*) AS flights,
                   avg(CASE WHEN arr_delay >= 15 THEN 100 ELSE 0 END) AS late,
                   avg(CASE WHEN dep_time IS NULL THEN 100 ELSE 0 END) AS cancelled
            FROM flights GROUP BY carrier) AS one
      JOIN airlines USING (carrier)
      LEFT JOIN (SELECT carrier, avg(dep_delay) AS mean FROM flights GROUP BY carrier) AS worse ON worse.mean > one.mean
      GROUP BY one.carrier, airlines.name, one.flights, one.mean, one.late, one.cancelled`,
    order: 'carrier COLLATE "C"',
  },
  {
    name: 'weather_effect',
    sql: `
      SELECT origin, conditions, flights, round(cancelled, 2) AS cancelled_percent, round(mean, 2) AS dep_delay_mean,
             round(mean - max(mean) FILTER (WHERE conditions = 'fair') OVER (PARTITION BY origin), 2) AS dep_delay_added
      FROM (SELECT origin, coalesce(conditions, 'unknown') AS conditions, count(*) AS flights, avg(dep_delay) AS mean,
                   avg(CASE WHEN dep_time IS NULL THEN 100 ELSE 0 END) AS cancelled
            FROM flights LEFT JOIN ${OBSERVED} USING (origin, time_hour)
            GROUP BY 1, 2) AS grouped`,
    order: 'origin COLLATE "C", conditions COLLATE "C"',
  },
];

/** Every dataset of the project. */
export const EXPECTED: readonly Expected[] = [...OPS, ...FLIGHTS, ...MARTS];
