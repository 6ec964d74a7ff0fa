-- What stands of each person, as known at a size, in the order in which it took effect.
--
-- Reads event, subject and basis (as_of_us, size). An event that a known one retracts does not
-- stand. Events take effect in the order of their valid time; what is stated only to the minute,
-- hour, day or month takes effect behind what is stated more finely, or alike, within that unit and
-- stands before it in the declared order of kinds (rank).
CREATE TABLE fact AS
WITH known AS (
    SELECT e.* FROM event e JOIN basis b ON e.position <= b.size
),
voided AS (
    SELECT DISTINCT retracted_event_id AS event_id FROM known WHERE kind = 'Retracted'
),
told AS (
    SELECT s.subject AS person, s.bucket, s.role, k.*
    FROM known k
    JOIN subject s ON s.position = k.position AND s.subject_kind = 'person'
    LEFT JOIN voided v ON v.event_id = k.event_id
    WHERE v.event_id IS NULL
),
-- Whose events are all stated alike, for her nothing is to be settled.
mixed AS (
    SELECT person FROM told GROUP BY person
    HAVING min(precision) < max(precision) OR min(zone) < max(zone)
),
unsettled AS (
    SELECT t.* FROM told t JOIN mixed m ON m.person = t.person
),
settled AS (
    SELECT t.person, t.position, max(o.valid_us) AS settled_us
    FROM unsettled t
    JOIN unsettled o ON o.person = t.person AND o.rank < t.rank
        AND o.kind NOT IN ('PersonsLinkedAsSame', 'PersonsUnlinked')
        AND (
            (o.precision = t.precision AND o.civil = t.civil AND o.civil > 0)
            OR (o.precision < t.precision
                AND o.valid_us > t.valid_us AND o.valid_us < t.valid_until_us)
        )
    WHERE t.precision > 1
    GROUP BY t.person, t.position
),
placed AS (
    SELECT t.person, t.bucket, t.role, t.position, t.event_id, t.kind, t.rank, t.valid_us,
        t.valid_until_us, t.precision, t.zone, t.civil, t.agency, t.to_agency, t.facility_key,
        t.has_facility, t.transfer_id,
        CASE WHEN s.settled_us > t.valid_us THEN s.settled_us ELSE t.valid_us END AS effective_us
    FROM told t
    LEFT JOIN settled s ON s.person = t.person AND s.position = t.position
)
SELECT p.*, row_number() OVER (
    PARTITION BY person ORDER BY effective_us, rank, valid_us, position, role
) AS n
FROM placed p;
