"""GATT characteristics that the Bluetooth SIG defines, one group a module.

All are little-endian and come without framing. Fields stand in the order of the specification, with
nothing in the place of one that is absent. Reserved flag bits are ignored; bytes beyond the last field
belong to a later version and are kept apart; a field that is cut off is an error, with its offset.
"""
