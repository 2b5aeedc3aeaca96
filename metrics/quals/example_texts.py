"""Short invented reports with right and wrong summaries, to try QUALS on."""

SOURCE = (
    "Scientists from the University of Bergen drilled 112 metres into the Hardang glacier in August and brought up ice "
    "that fell as snow about 900 years ago. The team of eight, led by the geologist Ingrid Solheim, worked at night, "
    "when the surface was frozen hard enough to stand on. Solheim said that the ice held ash from a volcano in Iceland "
    "that erupted in 1104. The cores are kept in a freezer in Oslo and will be measured next spring."
)
CONSISTENT = "Ingrid Solheim said that the ice held ash from a volcano in Iceland that erupted in 1104."
INCONSISTENT = "Ingrid Solheim said that the ice held ash from a volcano in Italy that erupted in 1631."

_ARMOUR = (
    "Anthony Joshua believes that Wladimir Klitschko goes into Saturday's heavyweight fight with a chink in his "
    "armour. The 27-year-old champion from Watford has spent ten weeks in camp in Sheffield, and says that he "
    'has watched every round the Ukrainian boxed in the last decade. "There is a weakness there, and I have '
    'seen it," Joshua told reporters after his final public workout. He would not say what it was. Klitschko, '
    "who is 41 and lost his titles to Tyson Fury in 2015, laughed when the remark was put to him. The former "
    "champion said that he had never felt fitter, and that his young opponent would have to find the gap before "
    "he could talk about it. About 90,000 people are expected at Wembley."
)
_BRIDGE = (
    "The old iron bridge over the Arle at Tamworth Ferry will close to cars from Monday, 3 June, the county council "
    "said on Thursday. Inspectors had found cracks in two of its five spans in March. Cyclists and people on foot may "
    "go on using it. The repair will take about seven months and cost 4.2 million pounds, of which the government pays "
    "half. Drivers will be sent over the motorway bridge, a way round of eleven miles. Helen Marsh, who runs the "
    "bakery beside the bridge, said that she feared for her trade; the council has promised shops a lower rate until "
    "the bridge opens again."
)
EXAMPLES = {
    "The ice: right": (SOURCE, CONSISTENT),
    "The ice: wrong country, wrong year": (SOURCE, INCONSISTENT),
    "The bridge: right": (_BRIDGE, "The bridge at Tamworth Ferry closes to cars on 3 June for about seven months."),
    "The bridge: wrong date, wrong length": (
        _BRIDGE,
        "The bridge at Tamworth Ferry closes to cars on 12 August for about two years.",
    ),
    "The chink in the armour: right": (
        _ARMOUR,
        "Anthony Joshua says that Wladimir Klitschko has a chink in his armour.",
    ),
    "The chink in the armour: given to the wrong man": (
        _ARMOUR,
        "Wladimir Klitschko says that Anthony Joshua has a chink in his armour.",
    ),
}
