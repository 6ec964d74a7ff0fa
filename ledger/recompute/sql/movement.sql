-- What says who holds a person, each with what held just before it. Reads fact and event.
--
-- effect: 'held' by an agency from then on, 'sent' on the way to another, 'ended', 'out' of a
-- facility but still in custody, 'away' at a hospital or court, 'refused' by the receiver,
-- 'referred' to ORR. The first three begin a state whatever held before: `state` counts them, and
-- `before_…` is the one before. `referrals` counts what ends every referral before it.
-- is_disputable: only who holds her may say it of her, or who is to take her.
CREATE TABLE movement AS
WITH told AS (
    SELECT f.person_key, f.position, f.kind, f.rank, f.valid_us, f.effective_us, f.agency,
        f.to_agency, f.facility_key, CASE
        WHEN kind IN ('Apprehended', 'BookedIn', 'Placed', 'TransferArrived',
            'ReturnedFromProsecution', 'ReturnedToFacility') THEN 'held'
        WHEN kind = 'Reunified' AND has_facility = 1 THEN 'held'
        WHEN kind = 'TransferDeparted' THEN 'sent'
        WHEN kind IN ('Released', 'Absconded', 'Died', 'Removed', 'Reunified') THEN 'ended'
        WHEN kind = 'BookedOut' THEN 'out'
        WHEN kind IN ('Hospitalized', 'TakenToCourt') THEN 'away'
        WHEN kind = 'TransferRefused' THEN 'refused'
        WHEN kind = 'ReferredToOrr' THEN 'referred'
        END AS effect,
        CASE WHEN kind IN ('Apprehended', 'TransferDeparted', 'ReturnedToFacility', 'Released',
            'Absconded', 'Died', 'Removed') THEN 1 ELSE 0 END AS is_disputable
    FROM fact f
    -- In another role somebody is only named: a sponsor, a relative in a hand-over, a parent. Where
    -- a family is free, the adult's custody ends by a release of her own.
    WHERE role IN ('person_id', 'person_ids', 'child_id')
        OR (kind = 'Reunified' AND role = 'adult_ids' AND has_facility = 1)
),
handed AS (
    SELECT t.person_key, t.position, t.kind, t.rank, t.valid_us, t.effective_us, e.transfer_id
    FROM told t
    JOIN event e ON e.position = t.position
    WHERE t.kind IN ('TransferDeparted', 'TransferArrived')
),
-- Who has arrived did not leave afterwards by the same hand-over: clocks differ.
too_late AS (
    SELECT DISTINCT d.person_key, d.position
    FROM handed d
    JOIN handed a ON a.person_key = d.person_key AND a.transfer_id = d.transfer_id
        AND a.kind = 'TransferArrived' AND a.effective_us < d.effective_us
    WHERE d.kind = 'TransferDeparted'
),
numbered AS (
    SELECT t.person_key, t.effective_us, t.agency, t.to_agency, t.effect, t.is_disputable,
        CASE WHEN t.effect IN ('held', 'out') THEN t.facility_key ELSE '' END AS facility_key,
        CASE WHEN t.effect IN ('held', 'sent', 'ended') THEN 1 ELSE 0 END AS begins,
        row_number() OVER same AS n,
        CAST(sum(CASE WHEN t.effect IN ('held', 'sent', 'ended') THEN 1 ELSE 0 END)
            OVER same AS BIGINT) AS state,
        CAST(sum(CASE WHEN t.effect = 'ended' OR (t.effect IN ('held', 'sent')
            AND t.agency = 'ORR') THEN 1 ELSE 0 END) OVER same AS BIGINT) AS referrals
    FROM told t
    LEFT JOIN too_late l ON l.person_key = t.person_key AND l.position = t.position
    WHERE t.effect IS NOT NULL AND l.position IS NULL
    WINDOW same AS (PARTITION BY t.person_key
        -- An event names nobody twice in these roles.
        ORDER BY t.effective_us, t.rank, t.valid_us, t.position ROWS UNBOUNDED PRECEDING)
)
SELECT m.*, b.effect AS before_effect, b.agency AS before_agency,
    b.to_agency AS before_to_agency, b.facility_key AS before_facility_key
FROM numbered m
LEFT JOIN numbered b ON b.person_key = m.person_key AND b.state = m.state - m.begins
    AND b.begins = 1;
