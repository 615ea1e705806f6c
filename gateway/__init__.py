"""Gateway: exam-room devices read, their results filed in the EHR.

A reading goes one way through the packages: ``transports`` carry bytes, ``drivers`` make readings
of them, ``signal`` measures EKGs, ``service`` finds the patient, ``store`` keeps, ``hl7`` sends.
"""

__version__ = "0.1.0"
