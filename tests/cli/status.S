# Writes a letter to each console and ends with code 21.
.include "flat.inc"

main:
	put_char 'a'
	put_char 'd', DEBUG_CONSOLE
	end_run	21
