-- Whose history says more than one set of rows can: why she is left out. Reads event, subject,
-- basis, fact and movement.
--
-- linked: her record was linked with another as of one person. disputed: an agency takes, sends or
-- lets go somebody whom another one holds and has not handed over; the ledger keeps both and says
-- so. refused: a receiver sent her back, to what had held before. zones: what is settled by what is
-- itself settled, over days that begin at different moments in different zones.
CREATE TABLE not_compared AS
SELECT DISTINCT s.subject AS person, s.bucket, 'linked' AS reason
FROM event e
JOIN basis b ON e.position <= b.size
JOIN subject s ON s.position = e.position AND s.subject_kind = 'person'
WHERE e.kind = 'PersonsLinkedAsSame'
UNION
SELECT DISTINCT person, bucket, 'refused' FROM movement WHERE effect = 'refused'
UNION
SELECT DISTINCT person, bucket, 'disputed' FROM movement
WHERE (kind IN ('Apprehended', 'TransferDeparted', 'ReturnedToFacility', 'Released', 'Absconded',
        'Died', 'Removed')
        AND before_effect IN ('held', 'sent') AND before_agency <> agency
        AND NOT (before_effect = 'sent' AND before_to_agency = agency)
        AND NOT (is_referred = 1 AND agency = 'ORR'))
    OR (effect = 'away' AND NOT coalesce(before_effect IN ('held', 'sent')
        AND before_agency = agency, FALSE))
UNION
SELECT DISTINCT t.person, t.bucket, 'zones'
FROM (SELECT person FROM fact GROUP BY person HAVING min(zone) < max(zone)) z
JOIN fact t ON t.person = z.person AND t.precision > 1
JOIN fact o ON o.person = t.person AND o.rank < t.rank
    AND o.kind NOT IN ('PersonsLinkedAsSame', 'PersonsUnlinked')
    AND (
        (o.effective_us > t.effective_us AND (
            (o.precision = t.precision AND o.civil = t.civil AND o.civil > 0)
            OR (o.precision < t.precision AND o.effective_us < t.valid_until_us)))
        OR (o.precision < t.precision AND o.effective_us >= t.valid_until_us
            AND o.valid_us > t.valid_us AND o.valid_us < t.valid_until_us)
    );
