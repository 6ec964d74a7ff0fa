"""One good event of every kind, with as many fields as go together."""

from typing import Any

from events import id_of
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date

from ledger.v1 import custody_pb2 as custody
from ledger.v1 import family_pb2 as family
from ledger.v1 import identity_pb2 as identity
from ledger.v1 import oversight_pb2 as oversight
from ledger.v1 import protection_pb2 as protection
from ledger.v1 import separation_pb2 as separation
from ledger.v1.place_pb2 import Address, AddressState, Place

CHILD, PARENT = id_of("newcomer"), id_of("known")
TRANSFER, REQUEST, CASE = id_of("t"), id_of("request"), id_of("case")
LIST, NUMBER = id_of("list"), id_of("number")
PLACE = "Harbor Processing Center"

BIRTH_PARENT = family.RelationshipKind.RELATIONSHIP_KIND_BIOLOGICAL_PARENT
DNA = family.RelationshipBasis.RELATIONSHIP_BASIS_DNA
HASH = bytes(range(32))
ADDRESS = Address(
    state=AddressState.ADDRESS_STATE_COMPLETE,
    country_text="United States",
    region_text="Texas",
    reference="address 17",
)
LINKS = [custody.CarriedLinks(person_id=CHILD, relative_ids=[PARENT])]
TWO = [CHILD, PARENT]


def citation(query: str = '{"ListRoster":{"agency":"CBP"}}', **fields: Any) -> oversight.Citation:
    """A citation of the right shape, which nothing here comes out as."""
    stated = {
        "as_of_time": Timestamp(seconds=1_530_000_000),
        "size": 1,
        "root": HASH,
        "count": 1,
        "sha256": HASH,
    }
    return oversight.Citation(query=query, **{**stated, **fields})


def every_kind() -> list[Message]:
    """In the order of the `oneof`."""
    return [
        identity.PersonRegistered(
            person_id=CHILD,
            birth_date=Date(year=2012, month=2, day=29),
            stated_age_years=6,
            sex=identity.Sex.SEX_FEMALE,
            nationality_text="Honduras",
        ),
        identity.IdentifierAsserted(person_id=CHILD, scheme="A_NUMBER", value="201987654"),
        family.RelationshipAsserted(person_id=CHILD, relative_id=PARENT, kind=BIRTH_PARENT),
        family.FamilyGroupFormed(
            family_id=id_of("f"), member_ids=[CHILD], external_number="FMU 17"
        ),
        custody.Apprehended(
            person_ids=[CHILD],
            agency="CBP",
            place=Place(name="Rio Grande Valley"),
            accompaniment=custody.Accompaniment.ACCOMPANIMENT_WITH_PARENT,
        ),
        custody.BookedIn(person_id=CHILD, agency="CBP", facility=Place(name=PLACE)),
        custody.BookedOut(person_id=CHILD, agency="CBP", facility=Place(name=PLACE)),
        custody.TransferDeparted(
            transfer_id=TRANSFER,
            person_ids=[CHILD],
            from_agency="CBP",
            to_agency="ORR",
            links=LINKS,
            escort="officer 17",
        ),
        custody.TransferArrived(
            transfer_id=TRANSFER, person_ids=[CHILD], agency="ORR", links=LINKS
        ),
        separation.Separated(
            child_id=CHILD,
            adult_ids=[PARENT],
            reason_codes=["ZERO_TOLERANCE"],
            reason_text="as it was written",
            agency="CBP",
            place=Place(name="McAllen"),
            notice=separation.SeparationNotice(
                state=separation.NoticeState.NOTICE_STATE_GIVEN,
                language="mam",
                document_sha256=HASH,
            ),
            authorized_event_id=id_of("authorized"),
        ),
        custody.ReferredToOrr(
            child_id=CHILD,
            referring_agency="CBP",
            reason_codes=["ZERO_TOLERANCE"],
            parent_ids=[PARENT],
            parent_location=Place(name=PLACE),
        ),
        custody.Placed(child_id=CHILD, agency="ORR", facility=Place(name="Shelter")),
        custody.Released(
            person_id=CHILD,
            agency="ORR",
            reason_code="SPONSOR_PARENT_OR_GUARDIAN",
            sponsor_id=PARENT,
            destination=ADDRESS,
        ),
        separation.Reunified(
            child_id=CHILD,
            adult_ids=[PARENT],
            agency="ORR",
            child_identified_by=DNA,
            place=Place(name=PLACE),
        ),
        oversight.Retracted(retracted_event_id=id_of("kept"), reason_text="it was not so"),
        identity.SpecialNeedRecorded(
            person_id=CHILD, need_code="DEAF", need_text="hears nothing on the left"
        ),
        identity.AgeDisputed(person_id=CHILD, reason_text="looks older"),
        identity.AgeDetermined(
            person_id=CHILD,
            method_code="DOCUMENT",
            result=identity.AgeResult.AGE_RESULT_MINOR,
            birth_date=Date(year=2012, month=3),
        ),
        identity.PersonsLinkedAsSame(
            person_ids=TWO, basis_text="prints", score_thousandths=990, approved_by=["17", "18"]
        ),
        identity.PersonsUnlinked(person_ids=TWO, reason_text="twins", approved_by=["17", "18"]),
        identity.PersonsDeclaredDistinct(person_ids=TWO, reason_text="other prints"),
        identity.AmendmentRequested(
            person_id=CHILD, concerned_event_id=id_of("kept"), request_text="I am twelve"
        ),
        identity.AmendmentDecided(
            person_id=CHILD,
            requested_event_id=id_of("kept"),
            granted=True,
            reason_text="by the certificate",
        ),
        family.FamilyGroupReclassified(
            family_id=id_of("f"), member_ids=[CHILD], class_code="UNACCOMPANIED_CHILD"
        ),
        family.LinkEvidenceAttached(
            person_id=CHILD,
            relative_id=PARENT,
            evidence_code="BAND",
            reference="band 0417",
            sha256=HASH,
        ),
        family.RelationshipVerified(
            person_id=CHILD,
            relative_id=PARENT,
            method=DNA,
            result=family.VerificationResult.VERIFICATION_RESULT_CONFIRMED,
        ),
        family.RelationshipDisputed(person_id=CHILD, relative_id=PARENT, reason_text="a doubt"),
        family.RelationshipDisproved(
            person_id=CHILD, relative_id=PARENT, method=DNA, evidence_reference="report 17"
        ),
        family.TracingRequestFiled(
            request_id=REQUEST, inquirer_id=PARENT, sought_id=CHILD, kind=BIRTH_PARENT
        ),
        family.MatchProposed(person_ids=TWO, reason_codes=["SAME_MINUTE"], request_id=REQUEST),
        family.MatchConfirmed(person_ids=TWO, reason_text="a photograph"),
        family.MatchRejected(person_ids=TWO, reason_text="neighbours"),
        custody.ReferredForProsecution(
            person_id=PARENT, agency="CBP", statute_code="US_8_1325", charge_text="entry"
        ),
        custody.ReturnedFromProsecution(
            person_id=PARENT, agency="CBP", facility=Place(name=PLACE), outcome_text="time served"
        ),
        custody.Hospitalized(person_id=CHILD, agency="CBP", hospital=Place(name="Valley")),
        custody.TakenToCourt(person_id=CHILD, agency="CBP", court=Place(name="El Paso")),
        custody.ReturnedToFacility(person_id=CHILD, agency="CBP", facility=Place(name=PLACE)),
        custody.PlacementDesignated(child_id=CHILD, agency="ORR", facility=Place(name="Shelter")),
        custody.TransferProposed(
            transfer_id=TRANSFER,
            person_ids=[CHILD],
            from_agency="CBP",
            to_agency="ORR",
            ground_codes=["CAPACITY"],
        ),
        custody.TransferRefused(
            transfer_id=TRANSFER, person_ids=[CHILD], agency="ORR", reason_text="no bed"
        ),
        custody.LocationConfirmed(person_id=CHILD, agency="CBP", place=Place(name=PLACE)),
        custody.CustodialActionRecorded(person_id=CHILD, agency="CBP", action_code="MEAL"),
        custody.Absconded(person_id=CHILD, agency="ORR", facility=Place(name="Shelter")),
        custody.Died(person_id=CHILD, agency="ORR", place=Place(name="Shelter")),
        custody.RemovalPlanned(
            person_id=PARENT, agency="ICE", planned_date=Date(year=2018, month=7, day=1)
        ),
        custody.Removed(person_id=PARENT, agency="ICE", country_text="Honduras"),
        custody.AddressChanged(person_id=CHILD, address=ADDRESS),
        custody.WellbeingCallMade(person_id=CHILD, agency="ORR", reached=True),
        custody.CourtAppearanceRecorded(person_id=CHILD, appeared=True),
        custody.ExceptionalCircumstanceDeclared(
            person_ids=[CHILD], clock_code="L_02", agency="CBP", reason_text="a flood"
        ),
        separation.SeparationAuthorized(
            child_id=CHILD,
            adult_ids=[PARENT],
            agency="CBP",
            authorized_by="17",
            approved_by="18",
            reason_codes=["ZERO_TOLERANCE"],
        ),
        separation.SeparationContested(
            child_id=CHILD,
            contested_by_id=PARENT,
            separated_event_id=id_of("separated"),
            reason_text="I am no danger",
        ),
        separation.CommunicationOccurred(
            child_id=CHILD, relative_id=PARENT, agency="ORR", means_code="TELEPHONE", succeeded=True
        ),
        separation.ReunificationCaseOpened(
            case_id=CASE, child_id=CHILD, adult_ids=[PARENT], agency="ORR"
        ),
        separation.ReunificationStepCompleted(
            case_id=CASE,
            child_id=CHILD,
            step_code="CHILD_LOCATED",
            agency="ORR",
            procedure_version="2018-07-10",
        ),
        separation.ReunificationWaived(
            child_id=CHILD,
            adult_id=PARENT,
            agency="ICE",
            language="es-HN",
            counsel_present=False,
            document_sha256=HASH,
        ),
        separation.ReunificationRuledOut(
            child_id=CHILD, adult_ids=[PARENT], agency="ORR", criteria_text="edition 2, danger"
        ),
        oversight.InformationRequested(
            request_id=REQUEST,
            person_ids=[CHILD],
            agency="ORR",
            of_agency="CBP",
            request_text="why was she separated",
        ),
        oversight.InformationSupplied(
            request_id=REQUEST, person_ids=[CHILD], agency="CBP", answer_text="by policy"
        ),
        oversight.ClassMembershipDetermined(
            person_id=CHILD,
            class_code="MS_L_2018",
            criteria_version="July 2018",
            included=True,
            basis_text="on three lists",
        ),
        oversight.ListCertified(
            list_id=LIST, agency="ORR", title="separated children", citation=citation()
        ),
        oversight.ListReconciled(
            list_id=LIST,
            agency="ORR",
            title="separated children",
            file_sha256=HASH,
            citation=citation(),
            matched=3,
        ),
        oversight.NumberPublished(
            number_id=NUMBER,
            agency="ORR",
            title="children separated",
            release_text="status report",
            value=-1,
            citation=citation(),
        ),
        protection.ConfidentialityDeclared(person_id=CHILD, ground_code="ASYLUM_208_6"),
        protection.RecordSealed(person_id=CHILD, order_reference="order 17"),
        protection.RecordUnsealed(person_id=CHILD, order_reference="order 18"),
        protection.LegalHoldPlaced(person_id=CHILD, hold_reference="18-cv-00428"),
        protection.LegalHoldLifted(person_id=CHILD, hold_reference="18-cv-00428"),
        protection.PersonalFieldsErased(person_id=CHILD, order_reference="schedule 4"),
        protection.EmergencyAccessOpened(
            person_id=CHILD,
            until_time=Timestamp(seconds=1_530_000_000),
            reason_text="she must not be given penicillin",
        ),
    ]
