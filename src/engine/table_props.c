/* table_props.c — the properties of a table: what may be set, at creation and after. */
#include "engine/flow.h"
#include "engine/tables.h"
#include "engine/tidy.h"

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
    if (t->settings.frazil_publish_interval_ms != s->frazil_publish_interval_ms || t->settings.frazil_publish_cost_percent != s->frazil_publish_cost_percent) atomic_store(&t->publish_ns, 0);
    t->settings = *s;
    frz__flow_take_limits(t);
    frz__tidy_interval(t);
    frz__mutex_unlock(&t->view_mu);
    frz__flow_weigh(t);
    frz__flow_wake(t->db);
}

void frz__table_follow_properties(struct table *t)
{
    const struct ice_meta *m = t->version->meta;
    struct table_settings settings;
    frz_error err;
    if (frz__table_settings(m->properties, m->property_count, false, &settings, &err) < 0) frz__log(&t->db->log, FRZ_LOG_ERROR, "%s: %s", t->name, err.message);
    else frz__table_take_settings(t, &settings);
    atomic_store(&t->format_version, m->format_version);
}

int frz__table_set_properties(struct table *t, const char *const *keys, const char *const *values, size_t count, frz_error *err)
{
    struct table_settings settings;
    struct ice_edit e = {.no_snapshot = true};
    int rc = FRZ_OK;
    const char **given = (const char **)frz__alloc_array(t->a, count + 1, sizeof *given); /* what has no value is checked by its key alone */
    struct ice_kv *kv = (struct ice_kv *)frz__alloc_array(t->a, count + 1, sizeof *kv);
    CHECK(given && kv ? FRZ_OK : frz__err_no_memory(err, count * sizeof *kv));
    for (size_t i = 0; i < count; i++) given[i] = values[i] ? values[i] : "";
    const frz_table_options as = {.struct_size = sizeof as, .property_keys = keys, .property_values = given, .property_count = count};
    CHECK(frz__properties_collect(&as, kv, err));
    size_t set = 0;
    for (size_t i = 0; i < count; i++) /* those that are set first: only they have to be known */
        if (values[i]) kv[set++] = (struct ice_kv){slice_str(keys[i]), slice_str(values[i])};
    CHECK(frz__table_settings(kv, set, true, &settings, err));
    for (size_t i = 0, k = set; i < count; i++)
        if (!values[i]) kv[k++] = (struct ice_kv){slice_str(keys[i]), {0}};
    e.set = kv;
    e.set_count = count;
    rc = frz__table_edit(t, &e, NULL, NULL, NULL, err);
    for (size_t i = 0; rc == FRZ_OK && i < count; i++) frz__event(t->db, t, FRZ_EVENT_TABLE_ALTERED, &(struct event_info){.reason = "property", .message = keys[i]});
    if (rc == FRZ_OK) frz__compact_schedule(t); /* there may be more to do by now */
done:
    frz__free(t->a, given);
    frz__free(t->a, kv);
    return rc;
}
