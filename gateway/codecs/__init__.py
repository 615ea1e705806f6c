"""Bytes to values, shared by drivers: checksums, framings, IEEE 11073 numbers, GATT characteristics."""
