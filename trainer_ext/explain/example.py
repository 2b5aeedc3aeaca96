"""A source and two summaries of it, of which one gives a weakness to the wrong man."""

SOURCE = (
    "Anthony Joshua believes that Wladimir Klitschko goes into Saturday's heavyweight fight with a chink in his "
    "armour. The 27-year-old champion from Watford has spent ten weeks in camp in Sheffield, and says that he "
    'has watched every round the Ukrainian boxed in the last decade. "There is a weakness there, and I have '
    'seen it," Joshua told reporters after his final public workout. He would not say what it was. Klitschko, '
    "who is 41 and lost his titles to Tyson Fury in 2015, laughed when the remark was put to him. The former "
    "champion said that he had never felt fitter, and that his young opponent would have to find the gap before "
    "he could talk about it. About 90,000 people are expected at Wembley."
)
CONSISTENT = "Anthony Joshua says that Wladimir Klitschko has a chink in his armour."
INCONSISTENT = "Wladimir Klitschko says that Anthony Joshua has a chink in his armour."
