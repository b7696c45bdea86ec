/** The source tables, columns in the order of the CSV files (COPY checks their header against it). */
export interface SourceTable {
  readonly name: string;
  readonly columns: string;
  /** Run after the rows are in: building an index once is cheaper than keeping it up to date. */
  readonly indexes: readonly string[];
}

export const SOURCE_TABLES: readonly SourceTable[] = [
  {
    name: 'airlines',
    columns: 'carrier text PRIMARY KEY, name text NOT NULL',
    indexes: [],
  },
  {
    name: 'airports',
    columns: `faa text PRIMARY KEY, name text NOT NULL, lat double precision, lon double precision, alt integer,
      tz integer, dst text, tzone text`,
    indexes: [],
  },
  {
    name: 'planes',
    columns: `tailnum text PRIMARY KEY, year integer, type text, manufacturer text, model text, engines integer,
      seats integer, speed integer, engine text`,
    indexes: [],
  },
  {
    name: 'weather',
    columns: `origin text NOT NULL, year integer, month integer, day integer, hour integer, temp numeric, dewp numeric,
      humid numeric, wind_dir integer, wind_speed numeric, wind_gust numeric, precip numeric, pressure numeric,
      visib numeric, time_hour timestamptz NOT NULL`,
    indexes: ['CREATE INDEX weather_time_hour ON public.weather (time_hour)'],
  },
  {
    name: 'flights',
    columns: `year integer, month integer, day integer, dep_time integer, sched_dep_time integer, dep_delay integer,
      arr_time integer, sched_arr_time integer, arr_delay integer, carrier text NOT NULL, flight integer NOT NULL,
      tailnum text, origin text NOT NULL, dest text NOT NULL, air_time integer, distance integer, hour integer,
      minute integer, time_hour timestamptz NOT NULL`,
    indexes: ['CREATE INDEX flights_time_hour ON public.flights (time_hour)'],
  },
];
