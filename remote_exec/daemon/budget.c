#include "remote_exec/daemon/budget.h"

#include <pthread.h>
#include <string.h>

enum { kClientBytes = 80 };

// A client that something is charged to.
typedef struct budget_client {
  struct budget_client *next;
  char name[kClientBytes];
  uint64_t used[GENIE_BUDGET_KIND_COUNT];
} budget_client_t;

struct genie_budget {
  genie_allocator_t allocator;
  pthread_mutex_t mutex;
  genie_budget_limits_t limits;
  uint64_t used[GENIE_BUDGET_KIND_COUNT];
  budget_client_t *clients;
};

static const struct {
  const char *what, *total_option, *client_option;
} kKinds[GENIE_BUDGET_KIND_COUNT] = {
    [GENIE_BUDGET_MEMORY] = {"bytes of memory", "--memory-limit", "--client-memory-limit"},
    [GENIE_BUDGET_SESSIONS] = {"sessions", "--max-sessions", "--max-sessions"},
    [GENIE_BUDGET_CONNECTIONS] = {"connections", "--max-connections", "--client-max-connections"},
};

genie_status_t genie_budget_create(const genie_budget_limits_t *limits, genie_allocator_t allocator,
                                   genie_budget_t **out_budget) {
  void *memory = NULL;
  GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(allocator, 1, sizeof(genie_budget_t), &memory));
  genie_budget_t *budget = memory;
  budget->allocator = allocator;
  budget->limits = *limits;
  pthread_mutex_init(&budget->mutex, NULL);
  *out_budget = budget;
  return GENIE_OK;
}

void genie_budget_destroy(genie_budget_t *budget) {
  if (budget == NULL) {
    return;
  }
  while (budget->clients != NULL) {
    budget_client_t *client = budget->clients;
    budget->clients = client->next;
    genie_allocator_free(budget->allocator, client);
  }
  pthread_mutex_destroy(&budget->mutex);
  genie_allocator_free(budget->allocator, budget);
}

static budget_client_t **find_client(genie_budget_t *budget, const char *name) {
  budget_client_t **link = &budget->clients;
  while (*link != NULL && strncmp((*link)->name, name, kClientBytes - 1) != 0) {
    link = &(*link)->next;
  }
  return link;
}

static genie_status_t find_or_add_client(genie_budget_t *budget, const char *name, budget_client_t **out_client) {
  budget_client_t **link = find_client(budget, name);
  if (*link == NULL) {
    void *memory = NULL;
    GENIE_RETURN_IF_ERROR(genie_allocator_allocate_array(budget->allocator, 1, sizeof(budget_client_t), &memory));
    *link = memory;
    strncpy((*link)->name, name, kClientBytes - 1);
  }
  *out_client = *link;
  return GENIE_OK;
}

static genie_status_t exhausted(genie_budget_kind_t kind, bool is_client, uint64_t used, uint64_t limit,
                                uint64_t amount) {
  return genie_status_make(GENIE_STATUS_RESOURCE_EXHAUSTED, "%llu more %s: %s has %llu of %llu in use (%s)",
                           (unsigned long long)amount, kKinds[kind].what, is_client ? "this client" : "the node",
                           (unsigned long long)used, (unsigned long long)limit,
                           is_client ? kKinds[kind].client_option : kKinds[kind].total_option);
}

static genie_status_t charge(genie_budget_t *budget, const char *name, genie_budget_kind_t kind, uint64_t amount) {
  budget_client_t *client = NULL;
  GENIE_RETURN_IF_ERROR(find_or_add_client(budget, name, &client));
  const uint64_t limit = budget->limits.total[kind];
  const uint64_t client_limit = budget->limits.client[kind];
  if (budget->used[kind] > limit || amount > limit - budget->used[kind]) {
    return exhausted(kind, false, budget->used[kind], limit, amount);
  }
  if (client->used[kind] > client_limit || amount > client_limit - client->used[kind]) {
    return exhausted(kind, true, client->used[kind], client_limit, amount);
  }
  client->used[kind] += amount;
  budget->used[kind] += amount;
  return GENIE_OK;
}

// A client to whom nothing is charged is forgotten.
static void forget_idle(genie_budget_t *budget, budget_client_t **link) {
  budget_client_t *client = *link;
  for (int kind = 0; kind < GENIE_BUDGET_KIND_COUNT; ++kind) {
    if (client->used[kind] > 0) {
      return;
    }
  }
  *link = client->next;
  genie_allocator_free(budget->allocator, client);
}

genie_status_t genie_budget_charge(genie_budget_t *budget, const char *client, genie_budget_kind_t kind,
                                   uint64_t amount) {
  pthread_mutex_lock(&budget->mutex);
  const genie_status_t status = charge(budget, client, kind, amount);
  budget_client_t **link = find_client(budget, client);
  if (*link != NULL) {
    forget_idle(budget, link);
  }
  pthread_mutex_unlock(&budget->mutex);
  return status;
}

void genie_budget_return(genie_budget_t *budget, const char *client, genie_budget_kind_t kind, uint64_t amount) {
  pthread_mutex_lock(&budget->mutex);
  budget_client_t **link = find_client(budget, client);
  if (*link != NULL) {
    (*link)->used[kind] -= amount;
    budget->used[kind] -= amount;
    forget_idle(budget, link);
  }
  pthread_mutex_unlock(&budget->mutex);
}

uint64_t genie_budget_used(genie_budget_t *budget, genie_budget_kind_t kind) {
  pthread_mutex_lock(&budget->mutex);
  const uint64_t used = budget->used[kind];
  pthread_mutex_unlock(&budget->mutex);
  return used;
}
