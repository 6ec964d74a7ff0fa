-- Who held each person, where, over which stretch of valid time; and from when custody had ended.
-- Reads movement and not_compared.
--
-- status: 'held', 'in_transfer' (the sender answers for her until she arrives) or 'ended'. A stretch
-- goes from from_us up to, and without, to_us; the last has no end and 9223372036854775807.
CREATE TABLE custody_period AS
WITH left_facility AS (
    -- The first that fits: she was there, and is in custody still. Where to is not said.
    SELECT person_key, state, min(n) AS n FROM movement
    WHERE effect = 'out' AND before_effect = 'held'
        AND before_agency = agency AND before_facility_key = facility_key
    GROUP BY person_key, state
),
begun AS (
    SELECT person_key, n, effective_us, agency, facility_key, CASE effect
        WHEN 'held' THEN 'held' WHEN 'sent' THEN 'in_transfer' ELSE 'ended' END AS status
    FROM movement WHERE begins = 1
    UNION ALL
    SELECT m.person_key, m.n, m.effective_us, m.agency, '', 'held'
    FROM movement m
    JOIN left_facility l ON l.person_key = m.person_key AND l.n = m.n
),
-- Of what took effect at one moment the last holds.
followed AS (
    SELECT b.*, lead(effective_us) OVER (PARTITION BY person_key ORDER BY n) AS next_us
    FROM begun b
),
turned AS (
    SELECT f.person_key, f.effective_us, f.status, f.agency, f.facility_key, CASE
        WHEN status = lag(status) OVER same AND agency = lag(agency) OVER same
            AND facility_key = lag(facility_key) OVER same THEN 0 ELSE 1 END AS is_new
    FROM followed f
    LEFT JOIN (SELECT DISTINCT person_key FROM not_compared) x ON x.person_key = f.person_key
    WHERE (next_us IS NULL OR next_us > effective_us) AND x.person_key IS NULL
    WINDOW same AS (PARTITION BY f.person_key ORDER BY f.effective_us)
)
SELECT t.person_key, t.effective_us AS from_us,
    lead(t.effective_us, 1, 9223372036854775807) OVER (
        PARTITION BY t.person_key ORDER BY t.effective_us) AS to_us,
    t.status, t.agency, t.facility_key
FROM turned t
WHERE t.is_new = 1;
