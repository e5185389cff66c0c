/* table_props.c — the properties of a table: what may be set, at creation and after. */
#include "engine/tables.h"

#define TRIES_MAX 5

int frz__properties_collect(const frz_table_options *o, struct ice_kv *kv, frz_error *err)
{
    if (o->property_count && (!o->property_keys || !o->property_values)) return frz__err(err, FRZ_INVALID, "%zu properties, and no keys or no values", o->property_count);
    for (size_t i = 0; i < o->property_count; i++) {
        if (!o->property_keys[i] || !o->property_values[i]) return frz__err(err, FRZ_INVALID, "property %zu has no key or no value", i);
        kv[i] = (struct ice_kv){slice_str(o->property_keys[i]), slice_str(o->property_values[i])};
        static const char *const reserved[] = {"format-version", "uuid", "snapshot-count", "current-snapshot-id", "current-snapshot-summary", "current-snapshot-timestamp-ms", "current-schema",
                                               "default-partition-spec", "default-sort-order", "frazil.flushed"};
        for (size_t k = 0; k < FRZ_ARRAY_LEN(reserved); k++)
            if (strcmp(reserved[k], o->property_keys[i]) == 0) return frz__err(err, FRZ_INVALID, "property %s is reserved", reserved[k]);
        for (size_t k = 0; k < i; k++)
            if (slice_eq(kv[k].key, kv[i].key)) return frz__err(err, FRZ_INVALID, "property %s is given twice", o->property_keys[i]);
    }
    return FRZ_OK;
}

void frz__table_take_settings(struct table *t, const struct table_settings *s)
{
    frz__mutex_lock(&t->view_mu);
    t->settings = *s;
    frz__mutex_unlock(&t->view_mu);
}

int frz__table_set_property(struct table *t, const char *key, const char *value, frz_error *err)
{
    struct ice_kv kv = {slice_str(key), value ? slice_str(value) : (slice){0}};
    struct commit_request r = {.edit = {.no_snapshot = true, .set = &kv, .set_count = 1}};
    const char *values[1] = {value ? value : ""};
    const frz_table_options as = {.struct_size = sizeof as, .property_keys = &key, .property_values = values, .property_count = 1};
    struct ice_kv checked;
    struct table_settings settings;
    TRY(frz__properties_collect(&as, &checked, err));
    if (value) TRY(frz__table_settings(&kv, 1, true, &settings, err));
    frz__mutex_lock(&t->flush_mu);
    int rc = frz__table_usable(t, true, err); /* it may have been dropped meanwhile, and another be in its place */
    for (int tries = 1; rc == FRZ_OK; tries++) {
        if (t->in_doubt) rc = frz__table_reload(t, err);
        if (rc < 0) break;
        rc = frz__commit(t, &r, err);
        if (rc != FRZ_CONFLICT || tries == TRIES_MAX) break;
        t->in_doubt = true; /* somebody else committed */
        rc = FRZ_OK;
    }
    if (rc == FRZ_OK) rc = frz__table_settings(t->version->meta->properties, t->version->meta->property_count, false, &settings, err);
    if (rc == FRZ_OK) frz__table_take_settings(t, &settings);
    frz__mutex_unlock(&t->flush_mu);
    if (rc == FRZ_OK) frz__compact_schedule(t); /* there may be more to do by now */
    return rc;
}

