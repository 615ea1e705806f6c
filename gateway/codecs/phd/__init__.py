"""IEEE 11073-20601, the language of personal health devices: USB PHDC, Bluetooth HDP, or any pipe.

``mder`` holds the byte rules, ``apdus`` the messages, ``objects`` what a device says that it is,
``observations`` what it measured, ``store`` what it keeps, ``association`` the manager's side of a
connection, and ``reader`` what messages say without one. Everything is big-endian; every nested length is
checked against the bytes that are there.

Source: IEEE 11073-20601, its annex examples as the test vectors of signove/antidote hold them, and that
project's type definitions for the persistent-metric store. Evidence: one implementation, with the standard's
own examples.
"""
