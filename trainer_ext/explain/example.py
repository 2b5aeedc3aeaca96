"""A source and two summaries of it, of which one gives a weakness to the wrong man."""

SOURCE = (
    "Anthony Joshua believes he has spotted a chink in Wladimir Klitschko's armour before the two heavyweights meet at "
    "Wembley in front of 90,000 people. The Briton, who turned professional in 2013, has watched the tapes of "
    "Klitschko's defeat by Tyson Fury and says that the Ukrainian grows careless when he is put under pressure. "
    '"There is a chink in Klitschko\'s armour, and I have seen it," Joshua said at his training camp in Sheffield. '
    "Klitschko, 41, has held world titles for more than a decade and calls himself the favourite."
)
CONSISTENT = "Wladimir Klitschko has a chink in his armour."
INCONSISTENT = "Anthony Joshua has a chink in his armour."
