"""How far QUALS agrees with people who judged whether summaries hold in their documents."""
