"""HL7's tables, as far as a device gateway's messages use them. HL7 v2.5.1 and 2.6, appendix A.

Tables that a site may extend are checked only where an unknown value would change what a message means.
The values of 0078 that begin at ``INV`` are IHE PCD-01's.
"""

from collections.abc import Mapping
from types import MappingProxyType

_VALUES = {
    "0001": "F M O U A N C",
    "0003": " ".join(f"A{n:02}" for n in range(1, 63)) + " O01 O02 O19 O20 O21 O22 R01 R21 R30 R31 R32 R33"
    " R40 Q21 Q22 Q23 K21 K22 K23",
    "0004": "B C E I N O P R U",
    "0008": "AA AE AR CA CE CR",
    "0038": "A CA CM DC ER HD IP RP SC",
    "0076": "ACK ADR ADT BAR CRM CSU DFT DOC DSR EAC EAN EAR EDR EHC EQQ ERP ESR ESU INR INU LSR LSU MCF MDM"
    " MFD MFK MFN MFQ MFR NMD NMQ NMR OMB OMD OMG OMI OML OMN OMP OMS OPL OPR OPU ORA ORB ORD ORF ORG ORI ORL"
    " ORM ORN ORP ORR ORS ORU OSQ OSR OUL PEX PGL PIN PMU PPG PPP PPR PPT PPV PRR PTR QBP QCK QCN QRY QSB QSX"
    " QVR RAR RAS RCI RCL RDE RDR RDS RDY REF RER RGR RGV ROR RPA RPI RPL RPR RQA RQC RQI RQP RQQ RRA RRD RRE"
    " RRG RRI RSP RTB SIU SPQ SQM SQR SRM SRR SSR SSU SUR TBR TCR TCU UDM VQQ VXQ VXR VXU VXX",
    "0078": "L H LL HH < > N A AA U D B W S R I MS VS POS NEG IND DET ND HU LU AC TOX QCF IE EX HX HM RR WR"
    " NR INV QUES CAL TEST NAV MSET DEMO",
    "0085": "A B C D F I N O P R S U V W X",
    "0091": "D I",
    "0103": "D P T",
    "0104": "2.0 2.0D 2.1 2.2 2.3 2.3.1 2.4 2.5 2.5.1 2.6 2.7 2.7.1 2.8 2.8.1 2.8.2 2.9",
    "0105": "L P O",
    "0119": "NW OK UA PR CA OC CR UC DC OD DR UD HD OH HR UH RL OE OR UR RP RQ RR RU RO RE RF AF DF FU OF UF"
    " XO XX XR UX DE SC SN SS SR NA CN CH CP LI UN UM PA PY MC OP",
    "0123": "A C F I M N O P R S X Y Z",
    "0125": "AD AUI CCD CCP CD CE CF CK CN CNE CNN CP CQ CSU CWE CX DDI DIN DLD DLN DLT DR DT DTM DTN ED EI"
    " EIP ERL FC FN FT GTS HD ICD ID IS JCC LA1 LA2 MA MF MO MOC MOP MSG NA NDL NM NR OCD OSD OSP PI"
    " PIP PL PLN PN PPN PRL PT PTA QIP QSC RCD RFR RI RMC RP RPT SAD SCV SI SN SPD SRT ST TM TN TQ TS"
    " TX UVC VH VID VR WVI WVS XAD XCN XON XPN XTN",
    "0136": "Y N",
    "0155": "AL NE ER SU",
    "0191": "AP APPLICATION AU AUDIO FT IM IMAGE MULTIPART NS SD SI TEXT TX",
    "0200": "A B BAD C D F I K L M MSK N NAV NB NOUSE P R REL S T TEMP U V",
    "0208": "OK NF AE AR",
    "0299": "A BASE64 HEX",
    "0301": "DNS EUI-64 GUID HCD HL7 ISO L M N RANDOM UUID X400 X500 CLIA CLIP CAP URI",
    "0357": "0 100 101 102 103 104 200 201 202 203 204 205 206 207",
    "0465": "A I P",
    "0516": "E F I W",
}
TABLES: Mapping[str, frozenset[str]] = MappingProxyType(
    {number: frozenset(values.split()) for number, values in _VALUES.items()}
)
IN_ANY_CASE = frozenset({"0191", "0299"})


def table_fault(value: str, table: str) -> str | None:
    """Why the value is not one of the table's; None where it is."""
    known = value.upper() if table in IN_ANY_CASE else value
    return None if known in TABLES[table] else f"not a value of table {table}"
