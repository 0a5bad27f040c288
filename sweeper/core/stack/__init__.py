"""K trials of one shape side by side, behind one interface (``lane``): plain models in lockstep, or one program for all of them.

Training many small models as one program is HFTA's idea (Wang et al., MLSys 2021); refilling lanes that a halving rule has freed
is Hydro's (Hu et al., OSDI 2023).
"""
