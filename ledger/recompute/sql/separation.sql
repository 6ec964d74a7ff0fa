-- Each separation of a child from adults up to an instant, and whether a reunification has ended it.
-- Reads fact, event, subject, basis and not_compared.
--
-- Only a reunification ends a separation, and only with every adult whom it names; one that names no
-- adult, or that ends a separation that names none, is with those she was taken from.
CREATE TABLE separation AS
WITH told AS (
    SELECT f.person_key, f.position, f.kind, f.effective_us, row_number() OVER (
        PARTITION BY f.person_key ORDER BY f.effective_us, f.rank, f.valid_us, f.position) AS n
    FROM fact f
    JOIN basis b ON f.effective_us <= b.as_of_us
    LEFT JOIN (SELECT DISTINCT person_key FROM not_compared WHERE reason IN ('linked', 'zones')) x
        ON x.person_key = f.person_key
    WHERE f.kind IN ('Separated', 'Reunified') AND f.role = 'child_id' AND x.person_key IS NULL
),
adult AS (
    SELECT DISTINCT t.person_key, t.n, t.kind, s.subject_key AS adult_key
    FROM told t
    JOIN subject s ON s.position = t.position AND s.role = 'adult_ids'
),
counted AS (
    SELECT person_key, n, count(*) AS adults FROM adult GROUP BY person_key, n
),
apart AS (
    SELECT t.*, coalesce(c.adults, 0) AS adults
    FROM told t LEFT JOIN counted c ON c.person_key = t.person_key AND c.n = t.n
    WHERE t.kind = 'Separated'
),
again AS (
    SELECT t.person_key, t.n, coalesce(c.adults, 0) AS adults
    FROM told t LEFT JOIN counted c ON c.person_key = t.person_key AND c.n = t.n
    WHERE t.kind = 'Reunified'
),
-- The last reunification that is with those she was taken from, and the last with anybody.
whole AS (
    SELECT person_key, max(CASE WHEN adults = 0 THEN n ELSE 0 END) AS with_all, max(n) AS with_any
    FROM again GROUP BY person_key
),
rejoined AS (
    SELECT a.person_key, a.n, count(DISTINCT a.adult_key) AS adults
    FROM adult a
    JOIN adult r ON r.person_key = a.person_key AND r.adult_key = a.adult_key
        AND r.kind = 'Reunified' AND r.n > a.n
    WHERE a.kind = 'Separated'
    GROUP BY a.person_key, a.n
)
SELECT a.person_key, e.event_id, a.effective_us AS since_us, CASE
        WHEN w.with_all > a.n THEN 1
        WHEN a.adults = 0 AND w.with_any > a.n THEN 1
        WHEN a.adults > 0 AND r.adults = a.adults THEN 1
        ELSE 0 END AS is_reunified
FROM apart a
JOIN event e ON e.position = a.position
LEFT JOIN whole w ON w.person_key = a.person_key
LEFT JOIN rejoined r ON r.person_key = a.person_key AND r.n = a.n;
