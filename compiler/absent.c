// Parts of the chain that are not linked yet answer so.

#define ABSENT(what) genie_status_make(GENIE_STATUS_UNIMPLEMENTED, "this geniec is built without " what)
